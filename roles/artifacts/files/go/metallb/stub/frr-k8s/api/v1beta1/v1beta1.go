// SPDX-License-Identifier: GPL-3.0-or-later

// Package v1beta1 stands in for the API of frr-k8s, which MetalLB only configures where METALLB_BGP_TYPE says so: just what
// MetalLB needs to compile. AddToScheme knows no kind, so that a speaker in that mode ends at its start and says why.
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const leftOut = "this MetalLB is built without the API of frr-k8s"

func AddToScheme(*runtime.Scheme) error { return nil }

type FRRConfiguration struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec FRRConfigurationSpec
}

func (*FRRConfiguration) DeepCopy() *FRRConfiguration { panic(leftOut) }

func (*FRRConfiguration) DeepCopyObject() runtime.Object { panic(leftOut) }

type FRRConfigurationSpec struct {
	BGP          BGPConfig
	NodeSelector metav1.LabelSelector
}

func (*FRRConfigurationSpec) DeepCopyInto(*FRRConfigurationSpec) { panic(leftOut) }

type BGPConfig struct {
	Routers     []Router
	BFDProfiles []BFDProfile
}

type Router struct {
	ASN       uint32
	ID, VRF   string
	Neighbors []Neighbor
	Prefixes  []string
}

type DynamicASNMode string

type SecretReference struct{ Name, Namespace string }

type Neighbor struct {
	ASN                                                                    uint32
	DynamicASN                                                             DynamicASNMode
	Address, Interface, Password, BFDProfile                               string
	Port                                                                   *uint16
	PasswordSecret                                                         SecretReference
	HoldTime, KeepaliveTime, ConnectTime                                   *metav1.Duration
	EBGPMultiHop, EnableGracefulRestart, DualStackAddressFamily, DisableMP bool
	ToAdvertise                                                            Advertise
}

type Advertise struct {
	Allowed                   AllowedOutPrefixes
	PrefixesWithLocalPref     []LocalPrefPrefixes
	PrefixesWithCommunity     []CommunityPrefixes
	PrefixesWithAsPathPrepend []AsPathPrependPrefixes
}

type AllowedOutPrefixes struct{ Prefixes []string }

type LocalPrefPrefixes struct {
	LocalPref uint32
	Prefixes  []string
}

type CommunityPrefixes struct {
	Community string
	Prefixes  []string
}

type AsPathPrependPrefixes struct {
	AsPathPrepend uint8
	Prefixes      []string
}

type BFDProfile struct {
	Name                                                string
	ReceiveInterval, TransmitInterval, DetectMultiplier *uint32
	EchoInterval, MinimumTTL                            *uint32
	EchoMode, PassiveMode                               *bool
}
