package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// talk is a connection on which several requests follow one another, none of them before the answer to the last.
type talk struct {
	s     *session
	what  string
	c     net.Conn
	over  bool // the broker has ended it
	quiet bool // what is answered is not compared
}

// talk has a conversation over a connection of its own, on which nobody has authenticated. At its end the connection has to be as it is on the other
// side: ended, or open.
func (s *session) talk(what string, say func(*talk)) {
	c, err := s.side.connect(s.ctx, 1)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	say(&talk{s: s, what: what, c: c})
}

// ask sends a request and returns the answer, nil where there was none.
func (t *talk) ask(what string, req kmsg.Request) kmsg.Response {
	resp, fields := t.s.decode(req, t.exchange(t.s.frame(req)))
	if !t.quiet {
		t.s.log.add(entry{What: t.what + ": " + what, Key: req.Key(), Version: req.GetVersion(), Fields: fields})
	}
	return resp
}

// exchange sends a frame and waits for the answer. After the connection has ended nothing is sent, and written down is that it has ended.
func (t *talk) exchange(frame []byte) outcome {
	got := outcome{how: connectionEnded}
	if t.over {
		return got
	}
	if _, err := t.c.Write(frame); err == nil {
		got = receive(t.c, false)
	}
	t.over = got.body == nil
	return got
}

// token sends a message of a mechanism without a request header and returns the answer (SaslHandshake version 0).
func (t *talk) token(what string, message []byte) []byte {
	var answer []byte
	value := connectionEnded
	if _, err := t.c.Write(sized(message)); err == nil && !t.over {
		if answer, err = readToken(t.c); err == nil {
			value = saslMessage(answer)
		}
	}
	t.over = value == connectionEnded
	t.s.log.add(entry{What: t.what + ": " + what, Key: kmsg.SASLHandshake.Int16(), Raw: true, Fields: []field{{"token", value}}})
	return answer
}

func readToken(c net.Conn) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c, answer)
	return answer, err
}

// handshake asks for a mechanism.
func (t *talk) handshake(version int16, mechanism string) {
	t.ask("handshake "+mechanism, at(version, &kmsg.SASLHandshakeRequest{Mechanism: mechanism}))
}

// authenticate sends a message of a mechanism and returns what came back.
func (t *talk) authenticate(version int16, what, message string) *kmsg.SASLAuthenticateResponse {
	resp, _ := t.ask(what, at(version, &kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte(message)})).(*kmsg.SASLAuthenticateResponse)
	if resp == nil {
		resp = kmsg.NewPtrSASLAuthenticateResponse()
		resp.ErrorCode = -1
	}
	return resp
}

// plain is the one message of PLAIN.
func plain(user, password string) string { return "\x00" + user + "\x00" + password }

// login authenticates with PLAIN.
func (t *talk) login(user string) error {
	t.handshake(1, "PLAIN")
	if resp := t.authenticate(2, "token", plain(user, passwords()[user])); resp.ErrorCode != 0 {
		return fmt.Errorf("log in as %s: %s", user, code(resp.ErrorCode))
	}
	return nil
}

// scramNonce is the client's part of every nonce.
const scramNonce = "differential"

// scramFirst is the first message of SCRAM.
func scramFirst(user string) string { return "n,,n=" + user + ",r=" + scramNonce }

// scramFinal makes the second message of SCRAM-SHA-256 from the answer to the first, and what the broker's proof is then to be.
func scramFinal(user, password, first string) (message, proof string, err error) {
	var nonce string
	var salt []byte
	var iterations int
	for part := range strings.SplitSeq(first, ",") {
		k, v, _ := strings.Cut(part, "=")
		switch k {
		case "r":
			nonce = v
		case "s":
			salt, err = base64.StdEncoding.DecodeString(v)
		case "i":
			iterations, err = strconv.Atoi(v)
		}
		if err != nil {
			return "", "", err
		}
	}
	if !strings.HasPrefix(nonce, scramNonce) || iterations == 0 {
		return "", "", errors.New("the first answer of SCRAM is none: " + first)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", "", err
	}
	sign := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	bare := "c=biws,r=" + nonce
	all := strings.TrimPrefix(scramFirst(user), "n,,") + "," + first + "," + bare
	client := sign(salted, "Client Key")
	stored := sha256.Sum256(client)
	signed := sign(stored[:], all)
	for i := range client {
		client[i] ^= signed[i]
	}
	return bare + ",p=" + base64.StdEncoding.EncodeToString(client), "v=" + base64.StdEncoding.EncodeToString(sign(sign(salted, "Server Key"), all)), nil
}

// scram authenticates with SCRAM-SHA-256. Where the broker takes the password it has to prove that it knows it too.
func (t *talk) scram(version int16, user, password string) {
	t.handshake(1, "SCRAM-SHA-256")
	first := t.authenticate(version, "first message", scramFirst(user))
	if first.ErrorCode != 0 {
		return
	}
	message, proof, err := scramFinal(user, password, string(first.SASLAuthBytes))
	if err != nil {
		panic(err)
	}
	final := t.authenticate(version, "second message", message)
	if final.ErrorCode == 0 && !bytes.Equal(final.SASLAuthBytes, []byte(proof)) {
		panic(fmt.Sprintf("the proof of the broker is %q, not %q", final.SASLAuthBytes, proof))
	}
}

// bytes sends bytes as they are. What comes back is read as the answer to that key and version where there is one.
func (t *talk) bytes(what string, key, version int16, frame []byte) {
	got := t.exchange(frame)
	fields := got.fields()
	if got.body != nil {
		fields = []field{{"answer", fmt.Sprintf("%x", got.body)}}
	}
	t.s.log.add(entry{What: t.what + ": " + what, Key: key, Version: version, Raw: true, Fields: fields})
}

// saltedPassword is what AlterUserScramCredentials wants for SCRAM-SHA-256.
func saltedPassword(password, salt string, iterations int32) []byte {
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), int(iterations), sha256.Size)
	if err != nil {
		panic(err)
	}
	return key
}
