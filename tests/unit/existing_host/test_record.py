# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of what was put on a host, as it is written and read."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import ExistingError, load_record


def test_the_record_is_read_as_it_was_written(record):
    assert load_record(record.dump()) == record
    assert load_record(None) is None


@pytest.mark.parametrize("text", ["", "{}", '{"owner": "office", "before": {}}', "[]"])
def test_a_record_that_is_none_is_refused(text):
    with pytest.raises(ExistingError, match="is no record of this module"):
        load_record(text)
