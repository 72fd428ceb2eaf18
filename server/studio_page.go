package server

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"path"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"
)

// studioFiles are the page and what it loads: HTML, modules of JavaScript and a style sheet, as they are
// written.
//
//go:embed studio
var studioFiles embed.FS

// studioPath is where the page lies.
const studioPath = "/studio"

// studioPolicy lets the page load and ask nothing but this server, and run nothing that stands in the HTML.
const studioPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageRoutes serves the page's files. They say nothing of the models: what the page shows it gets with the
// token of the user who logs in there.
func (s *Server) pageRoutes(r *router.Router) {
	files, err := fs.ReadDir(studioFiles, "studio")
	if err != nil {
		panic(err) // embedded
	}
	for _, file := range files {
		route := studioPath + "/" + file.Name()
		if file.Name() == "index.html" {
			route = studioPath
		}
		content, err := studioFiles.ReadFile("studio/" + file.Name())
		if err != nil {
			panic(err) // embedded
		}
		r.GET(route, s.plain(route, "GET", pageFile(file.Name(), content)))
	}
}

// pageFile serves one file. A browser keeps it and asks whether it is still the same.
func pageFile(name string, content []byte) func(*exchange) {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	kind := mime.TypeByExtension(path.Ext(name))
	return func(x *exchange) {
		header := &x.ctx.Response.Header
		header.Set("Content-Security-Policy", studioPolicy)
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", tag)
		header.SetContentType(kind)
		if string(x.ctx.Request.Header.Peek("If-None-Match")) == tag {
			x.ctx.Response.SetStatusCode(fasthttp.StatusNotModified)
			return
		}
		x.ctx.Response.SetBody(content)
	}
}
