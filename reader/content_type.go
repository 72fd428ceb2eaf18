package reader

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strings"
)

// sniffSize is how much of a content is looked at for its type (Odoo 19.0: odoo/tools/mimetypes.py,
// MIMETYPE_HEAD_SIZE).
const sniffSize = 2048

// sniff guesses the media type of a content from its beginning, as Odoo does where a content has no
// attachment to tell it (Odoo 14.0–19.0: odoo/tools/mimetypes.py, guess_mimetype).
func sniff(head []byte) string {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("<svg")), bytes.HasPrefix(text, []byte("<")) && bytes.Contains(text, []byte("<svg")):
		return "image/svg+xml"
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return "application/msword"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return zipped(head)
	}
	media, _, _ := strings.Cut(http.DetectContentType(head), ";")
	if media == "text/html" {
		// What a user has uploaded is not to be taken for a page of this service.
		return "text/plain"
	}
	return media
}

// zipped tells the documents that are zip files apart by their first entry.
func zipped(head []byte) string {
	const documents = "application/vnd.openxmlformats-officedocument."
	if at := bytes.Index(head, []byte("mimetypeapplication/vnd.oasis.opendocument.")); at >= 0 {
		name := head[at+len("mimetype"):]
		end := 0
		for end < len(name) && (name[end] >= 'a' && name[end] <= 'z' || name[end] == '.' || name[end] == '/' || name[end] == '-') {
			end++
		}
		return string(name[:end])
	}
	for folder, kind := range map[string]string{
		"word/": "wordprocessingml.document", "xl/": "spreadsheetml.sheet", "ppt/": "presentationml.presentation",
	} {
		if bytes.Contains(head, []byte(folder)) {
			return documents + kind
		}
	}
	return "application/zip"
}

// hashOf returns a content's hash, that of Odoo's attachments.
func hashOf(content []byte) string {
	sum := sha1.Sum(content)
	return hex.EncodeToString(sum[:])
}
