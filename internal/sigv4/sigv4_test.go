package sigv4

import (
	"encoding/hex"
	"testing"
	"time"
)

// The example of "Authenticating Requests: Using Query Parameters" in the Amazon S3 API reference.
func TestSignsTheExampleThatAWSPublishes(t *testing.T) {
	r := Request{
		Host: "examplebucket.s3.amazonaws.com", Path: "/test.txt", PayloadHash: "UNSIGNED-PAYLOAD", Service: "s3", Region: "us-east-1",
		Time: time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC), Expires: "86400",
	}
	q := Sign(r, Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
	if got, want := q.Get("X-Amz-Signature"), "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if got := q.Get("X-Amz-Credential"); got != "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request" {
		t.Errorf("credential %s", got)
	}
}

// The example of "Deriving the signing key" in the AWS General Reference.
func TestDerivesTheKeyThatAWSPublishes(t *testing.T) {
	got := hex.EncodeToString(Key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam"))
	if want := "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
}
