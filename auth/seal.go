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
	accessToken  tokenKind = "lateral access token 2"
	refreshToken tokenKind = "lateral refresh token 2"
)

// storeKey is the name of a token's entry. SHA-256 without salt or stretching is enough, since
// tokens carry 160 random bits.
func storeKey(kind tokenKind, token string) Key {
	var text [96]byte
	return sha256.Sum256(append(append(append(text[:0], kind...), 0), token...))
}

// cipherOf returns the AEAD keyed from the token and the secret: ChaCha20-Poly1305, since a key is
// used once or twice and AES-GCM would spend most of its time on the key's tables.
func cipherOf(secret sealKey, kind tokenKind, token string) (cipher.AEAD, error) {
	key := deriveKey(secret, kind, token)
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, fmt.Errorf("cipher of a token: %w", err)
	}
	return aead, nil
}

// deriveKey is HMAC-SHA256 of kind and token under the secret, HKDF-Extract of RFC 5869 with the secret as
// salt: who lacks the token's 160 random bits or the secret cannot find the key. Kinds hold no zero byte and
// tokens have one length, so that no two pairs make the same message. It is written out for one short
// message, since crypto/hmac takes several times as long over it and every request passes here; a test
// holds it against that package.
func deriveKey(secret sealKey, kind tokenKind, token string) [32]byte {
	const block = 64
	var pad [block + 96]byte
	var outer [block + 32]byte
	for i := range block {
		var k byte
		if i < len(secret) {
			k = secret[i]
		}
		pad[i], outer[i] = k^0x36, k^0x5c
	}
	inner := sha256.Sum256(append(append(append(pad[:block], kind...), 0), token...))
	copy(outer[block:], inner[:])
	return sha256.Sum256(outer[:])
}

// nonce is constant because every key seals exactly one message: that of the token it is made from.
var nonce [12]byte

// seal encrypts credentials and the instant of expiry (zero: never) under the token and the secret.
func seal(secret sealKey, kind tokenKind, token string, who Credentials, expires time.Time) ([]byte, error) {
	aead, err := cipherOf(secret, kind, token)
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

var errSealBroken = errors.New("a sealed entry does not open with its token and the secret")

// open is the reverse of seal. It fails where the entry was made for another token, changed, or made by
// somebody who does not know the secret.
func open(secret sealKey, kind tokenKind, token string, key Key, sealed []byte) (Credentials, time.Time, error) {
	aead, err := cipherOf(secret, kind, token)
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
