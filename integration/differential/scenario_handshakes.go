package main

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// midway begins the names of what is asked in the middle of an authentication.
const midway = "in the middle of it: "

// handshakes: how clients authenticate, and what happens to those who do it otherwise.
func handshakes(s *session) {
	id := s.topic("handshakes", 1)
	alice := plain("alice", passwords()["alice"])
	ask := func(t *talk) { t.ask("metadata", latest(metadata("handshakes"))) }

	for v := int16(0); v <= served[kmsg.ApiVersions].max; v++ {
		s.talk("versions first", func(t *talk) {
			t.ask("versions", apiVersions(v, "differential", "1"))
			t.handshake(1, "PLAIN")
			t.authenticate(2, "token", alice)
			ask(t)
			t.ask("versions", apiVersions(v, "differential", "1"))
		})
	}
	s.talk("versions twice", func(t *talk) {
		t.ask("versions", apiVersions(4, "differential", "1"))
		t.ask("versions", apiVersions(4, "differential", "1"))
	})
	s.talk("a bad software name", func(t *talk) {
		t.ask("versions", apiVersions(4, "-", "1"))
		t.ask("versions", apiVersions(4, "differential", "1"))
		t.handshake(1, "PLAIN")
	})
	for _, v := range []uint16{5, 0x7fff, 0xffff} {
		s.talk("versions of the future", func(t *talk) {
			frame := s.frame(apiVersions(4, "differential", "1.0"))
			binary.BigEndian.PutUint16(frame[6:], v)
			t.bytes("versions", kmsg.ApiVersions.Int16(), int16(v), frame)
			t.handshake(1, "PLAIN")
		})
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER", "plain", "", "X"} {
		for v := range int16(2) {
			s.talk("mechanism", func(t *talk) {
				t.handshake(v, mechanism)
				t.handshake(v, "PLAIN")
			})
		}
	}
	s.talk("a handshake of the future", func(t *talk) {
		frame := s.frame(at(1, &kmsg.SASLHandshakeRequest{Mechanism: "PLAIN"}))
		binary.BigEndian.PutUint16(frame[6:], 2)
		t.bytes("handshake", kmsg.SASLHandshake.Int16(), 2, frame)
		ask(t)
	})
	s.talk("a token of the future", func(t *talk) {
		t.handshake(1, "PLAIN")
		frame := s.frame(at(2, &kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte(alice)}))
		binary.BigEndian.PutUint16(frame[6:], 3)
		t.bytes("token", kmsg.SASLAuthenticate.Int16(), 3, frame)
		ask(t)
	})

	// Requests of those who have not authenticated, in every version.
	for _, r := range requests(id) {
		for v := served[r.key].min; v <= served[r.key].max; v++ {
			if r.key == kmsg.ApiVersions || r.key == kmsg.SASLHandshake {
				continue
			}
			s.send("before a handshake: "+r.what, at(v, r.build(v)), as(""))
		}
		v := served[r.key].max
		s.talk(midway+r.what, func(t *talk) {
			t.handshake(1, "PLAIN")
			t.ask("request", at(v, r.build(v)))
			t.authenticate(2, "token", alice)
		})
	}
	for _, frame := range [][]byte{sized([]byte("GET / HTTP/1.1")), sized(nil), sized([]byte{0, 18, 0}), {0xff, 0xff, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff}, {0, 8, 0, 1, 0, 17}, sized([]byte{0, 4, 0, 0, 0, 0, 0, 7, 0xff, 0xff})} {
		s.talk("bytes that are no request", func(t *talk) { t.bytes("bytes", kmsg.SASLHandshake.Int16(), 1, frame) })
		s.talk("bytes that are no request, after a handshake", func(t *talk) {
			t.handshake(1, "PLAIN")
			t.bytes("bytes", kmsg.SASLAuthenticate.Int16(), 2, frame)
		})
	}

	for v := range int16(3) {
		for _, c := range []struct{ what, message string }{
			{"right", alice}, {"right, for oneself", "alice" + alice}, {"for somebody else", "bob" + alice}, {"wrong password", plain("alice", "x")}, {"nobody's", plain("carol", "x")},
			{"no user", plain("", "x")}, {"no password", plain("alice", "")}, {"empty", ""}, {"one part", "alice"}, {"two parts", "\x00alice"}, {"four parts", alice + "\x00"},
			{"five parts", "\x00a\x00b\x00c\x00d"}, {"not UTF-8", "\x00\xc3\x28\x00x"},
		} {
			s.talk("PLAIN "+c.what, func(t *talk) {
				t.handshake(1, "PLAIN")
				t.authenticate(v, "token", c.message)
				ask(t)
				t.authenticate(v, "another token", alice)
			})
		}
		s.talk("SCRAM right", func(t *talk) { t.scram(v, "alice", passwords()["alice"]); ask(t) })
		s.talk("SCRAM wrong password", func(t *talk) { t.scram(v, "alice", "x"); ask(t) })
		for _, c := range []struct{ what, message string }{
			{"nobody's", scramFirst("carol")}, {"empty", ""}, {"garbage", "garbage"}, {"bound to a channel", "p=x,,n=alice,r=abc"}, {"may be bound", "y,,n=alice,r=abc"},
			{"for oneself", "n,a=alice,n=alice,r=abc"}, {"for somebody else", "n,a=bob,n=alice,r=abc"}, {"no nonce", "n,,n=alice"}, {"empty nonce", "n,,n=alice,r="},
			{"no user", "n,,n=,r=abc"}, {"escaped user", "n,,n=al=2Cice,r=abc"}, {"badly escaped user", "n,,n=al=ice,r=abc"}, {"an extension", "n,,n=alice,r=abc,x=y"},
			{"a mandatory extension", "n,,m=x,n=alice,r=abc"}, {"token of a delegation", "n,,n=alice,r=abc,tokenauth=true"},
		} {
			s.talk("SCRAM "+c.what, func(t *talk) {
				t.handshake(1, "SCRAM-SHA-512")
				t.authenticate(v, "first message", c.message)
				t.authenticate(v, "second message", "c=biws,r=abc,p=AAAA")
			})
		}
		for _, second := range []string{"", "garbage", "c=biws,r=" + scramNonce + ",p=AAAA", "c=biws,r=x,p=AAAA", "c=eSws,r=x,p=AAAA", "c=biws,r=x"} {
			s.talk("SCRAM second message "+second, func(t *talk) {
				t.handshake(1, "SCRAM-SHA-256")
				t.authenticate(v, "first message", scramFirst("alice"))
				t.authenticate(v, "second message", second)
				ask(t)
			})
		}
	}
	s.talk("bare tokens", func(t *talk) {
		t.handshake(0, "PLAIN")
		t.token("token", []byte(alice))
		ask(t)
	})
	s.talk("bare tokens, wrong password", func(t *talk) {
		t.handshake(0, "PLAIN")
		t.token("token", []byte(plain("alice", "x")))
	})
	s.talk("bare tokens of SCRAM", func(t *talk) {
		t.handshake(0, "SCRAM-SHA-256")
		first := t.token("first message", []byte(scramFirst("alice")))
		message, proof, err := scramFinal("alice", passwords()["alice"], string(first))
		if err != nil {
			panic(err)
		}
		if got := t.token("second message", []byte(message)); string(got) != proof {
			panic("the broker has not proven itself")
		}
		ask(t)
	})
	s.talk("a request where a bare token is awaited", func(t *talk) {
		t.handshake(0, "PLAIN")
		ask(t)
	})
	reauthentication(s, ask)
	scramUsersLogIn(s, ask)
}

// reauthentication: who has authenticated does it again (KIP-368).
func reauthentication(s *session, ask func(*talk)) {
	alice := plain("alice", passwords()["alice"])
	again := func(what string, then func(*talk)) {
		s.talk("again, "+what, func(t *talk) {
			t.handshake(1, "PLAIN")
			t.authenticate(2, "token", alice)
			ask(t)
			then(t)
			ask(t)
		})
	}
	plainly := func(version int16, token string) func(*talk) {
		return func(t *talk) {
			t.handshake(1, "PLAIN")
			t.authenticate(version, "token", token)
		}
	}
	for v := range int16(3) {
		again("as before", plainly(v, alice))
		again("with a wrong password", plainly(v, plain("alice", "x")))
		again("as somebody else", plainly(v, plain("bob", passwords()["bob"])))
		again("without a handshake", func(t *talk) { t.authenticate(v, "token", alice) })
	}
	again("with a bare token", func(t *talk) {
		t.handshake(0, "PLAIN")
		t.token("token", []byte(alice))
	})
	again("by another mechanism", func(t *talk) { t.scram(2, "alice", passwords()["alice"]) })
	again("by one that is not there", func(t *talk) { t.handshake(1, "GSSAPI") })
	again("with a request in between", func(t *talk) {
		t.handshake(1, "PLAIN")
		ask(t)
		t.authenticate(2, "token", alice)
	})
	again("twice", func(t *talk) {
		plainly(2, alice)(t)
		ask(t)
		t.handshake(1, "PLAIN")
	})
	s.talk("SCRAM again", func(t *talk) {
		t.scram(2, "alice", passwords()["alice"])
		ask(t)
		t.scram(2, "alice", passwords()["alice"])
		ask(t)
	})
	s.talk("SCRAM again, wrong", func(t *talk) {
		t.scram(2, "alice", passwords()["alice"])
		t.scram(2, "alice", "x")
		ask(t)
	})
}

// scramUsersLogIn: users who are added, given another password and deleted.
func scramUsersLogIn(s *session, ask func(*talk)) {
	const name = "handshakes-new"
	set := func(what, password string, mechanism int8, iterations int32, ready func(*kmsg.DescribeUserSCRAMCredentialsResponse) bool) {
		req := &kmsg.AlterUserSCRAMCredentialsRequest{}
		if password == "" {
			req.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: name, Mechanism: mechanism}}
		} else {
			req.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: name, Mechanism: mechanism, Iterations: iterations, Salt: []byte("handshakes"), SaltedPassword: saltedPassword(password, "handshakes", iterations)}}
		}
		s.send(what, latest(req))
		s.send(what+": seen", latest(&kmsg.DescribeUserSCRAMCredentialsRequest{Users: []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: name}}}), until(func(r kmsg.Response) bool {
			return ready(r.(*kmsg.DescribeUserSCRAMCredentialsResponse))
		}))
	}
	has := func(iterations int32) func(*kmsg.DescribeUserSCRAMCredentialsResponse) bool {
		return func(r *kmsg.DescribeUserSCRAMCredentialsResponse) bool {
			return len(r.Results) == 1 && len(r.Results[0].CredentialInfos) == 1 && r.Results[0].CredentialInfos[0].Iterations == iterations
		}
	}
	login := func(what, password string) {
		s.talk(what, func(t *talk) { t.scram(2, name, password); ask(t) })
	}
	login("a user who is not there", "first")
	set("add a user", "first", 1, 4096, has(4096))
	login("a user who was added", "first")
	login("with another password", "second")
	s.talk("by the mechanism that it has no password for", func(t *talk) {
		t.handshake(1, "SCRAM-SHA-512")
		t.authenticate(2, "first message", scramFirst(name))
	})
	s.talk("by PLAIN", func(t *talk) {
		t.handshake(1, "PLAIN")
		t.authenticate(2, "token", plain(name, "first"))
	})
	set("change its password", "second", 1, 5000, has(5000))
	login("with the old password", "first")
	login("with the new password", "second")
	set("delete it", "", 1, 0, func(r *kmsg.DescribeUserSCRAMCredentialsResponse) bool {
		return len(r.Results) == 1 && r.Results[0].ErrorCode != 0
	})
	login("who was deleted", "second")
	s.send("all users", latest(&kmsg.DescribeUserSCRAMCredentialsRequest{}))
}
