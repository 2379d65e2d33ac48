module github.com/abbot/go-http-auth

go 1.26.0

require reftopo.lab/artifacts/http-auth v0.0.0
