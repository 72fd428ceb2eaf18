package auth

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// tokenKind keeps access and refresh tokens apart: neither is found or opened as the other.
type tokenKind string

const (
	accessToken  tokenKind = "lateral access token 1"
	refreshToken tokenKind = "lateral refresh token 1"
)

// storeKey is the name of a token's entry. SHA-256 without salt or stretching is enough, since
// tokens carry 160 random bits.
func storeKey(kind tokenKind, token string) Key {
	var text [96]byte
	return sha256.Sum256(append(append(append(text[:0], kind...), 0), token...))
}

// cipherOf returns the AEAD keyed from the token itself: ChaCha20-Poly1305, since a key is used
// once or twice and AES-GCM would spend most of its time on the key's tables.
func cipherOf(kind tokenKind, token string) (cipher.AEAD, error) {
	key := deriveKey(kind, token)
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, fmt.Errorf("cipher of a token: %w", err)
	}
	return aead, nil
}

// deriveKey is HKDF-Expand of RFC 5869 with SHA-256, the token as pseudorandom key and the kind as
// info. The extraction step is left out as section 3.3 of the RFC allows: tokens are uniformly
// random already. It is written out for one block of output, since crypto/hkdf takes six times as
// long over it and every request passes here; a test holds it against that package.
func deriveKey(kind tokenKind, token string) [32]byte {
	const block = 64
	var pad [block + 64]byte
	var outer [block + 32]byte
	for i := range block {
		var k byte
		if i < len(token) {
			k = token[i]
		}
		pad[i], outer[i] = k^0x36, k^0x5c
	}
	message := append(pad[:block], kind...)
	inner := sha256.Sum256(append(message, 1))
	copy(outer[block:], inner[:])
	return sha256.Sum256(outer[:])
}

// nonce is constant because every key seals exactly one message: that of the token it is made from.
var nonce [12]byte

// seal encrypts credentials and the instant of expiry (zero: never) under the token.
func seal(kind tokenKind, token string, who Credentials, expires time.Time) ([]byte, error) {
	aead, err := cipherOf(kind, token)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, 0, 3*binary.MaxVarintLen64+len(who.Login)+len(who.Secret))
	plain = binary.AppendVarint(plain, who.UID)
	plain = binary.AppendVarint(plain, expiryCode(expires))
	plain = binary.AppendUvarint(plain, uint64(len(who.Login)))
	plain = append(plain, who.Login...)
	plain = append(plain, who.Secret...)
	key := storeKey(kind, token)
	return aead.Seal(nil, nonce[:], plain, key[:]), nil
}

var errSealBroken = errors.New("a sealed entry does not open with its token")

// open is the reverse of seal. It fails where the entry was made for another token or changed.
func open(kind tokenKind, token string, key Key, sealed []byte) (Credentials, time.Time, error) {
	aead, err := cipherOf(kind, token)
	if err != nil {
		return Credentials{}, time.Time{}, err
	}
	plain, err := aead.Open(nil, nonce[:], sealed, key[:])
	if err != nil {
		return Credentials{}, time.Time{}, errSealBroken
	}
	uid, n := binary.Varint(plain)
	if n <= 0 {
		return Credentials{}, time.Time{}, errSealBroken
	}
	plain = plain[n:]
	expires, n := binary.Varint(plain)
	if n <= 0 {
		return Credentials{}, time.Time{}, errSealBroken
	}
	plain = plain[n:]
	login, n := binary.Uvarint(plain)
	if n <= 0 || login > uint64(len(plain)-n) {
		return Credentials{}, time.Time{}, errSealBroken
	}
	text := string(plain[n:])
	return Credentials{UID: uid, Login: text[:login], Secret: text[login:]}, expiryTime(expires), nil
}

// expiryCode writes an instant in milliseconds, never as the largest number.
func expiryCode(expires time.Time) int64 {
	if expires.IsZero() {
		return math.MaxInt64
	}
	return expires.UnixMilli()
}

func expiryTime(code int64) time.Time {
	if code == math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMilli(code)
}
