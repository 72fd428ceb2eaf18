package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// odoo19Libraries are Debian 12's own packages that Odoo 19.0 runs on. Its package in sid names newer ones.
var odoo19Libraries = strings.Fields(`
	python3 python3-asn1crypto python3-babel python3-cbor2 python3-chardet python3-cryptography python3-dateutil
	python3-docutils python3-freezegun python3-geoip2 python3-gevent python3-greenlet python3-idna python3-jinja2
	python3-libsass python3-lxml python3-magic python3-markupsafe python3-num2words python3-ofxparse python3-openpyxl
	python3-openssl python3-passlib python3-pil python3-polib python3-psutil python3-psycopg2 python3-pypdf
	python3-pypdf2 python3-qrcode python3-reportlab python3-requests python3-rjsmin python3-serial python3-stdnum
	python3-tz python3-urllib3 python3-usb python3-vobject python3-werkzeug python3-xlrd python3-xlsxwriter
	python3-xlwt python3-zeep libjs-jquery libjs-jquery-form libjs-underscore fonts-dejavu-core
	fonts-roboto-unhinted fonts-font-awesome fonts-inconsolata gsfonts wkhtmltopdf`)

// odoo19 is Debian's package odoo-19, unpacked beside this machine's packages and run on its Python.
type odoo19 struct {
	root string
}

func installOdoo19(ctx context.Context, apt apt) (odooDist, error) {
	if err := apt.install(ctx, "Odoo 19.0", odoo19Libraries...); err != nil {
		return nil, err
	}
	name := "odoo-19.0-" + key("odoo-19", "sid", "1")
	root, err := apt.cache.build(ctx, name, func(dir string) error {
		done := apt.progress.step("installing Odoo 19.0")
		defer done()
		scratch, err := os.MkdirTemp(apt.cache.path(), "apt-")
		if err != nil {
			return fmt.Errorf("scratch folder: %w", err)
		}
		defer os.RemoveAll(scratch)
		deb, err := apt.download(ctx, scratch, "sid", "odoo-19")
		if err != nil {
			return err
		}
		log := apt.cache.path("logs", "odoo-19.0.log")
		err = run(ctx, processSpec{name: "dpkg -x", argv: []string{"dpkg", "-x", deb, dir}, dir: dir, log: log}, account{})
		if err != nil {
			return err
		}
		if err := linkShared(dir); err != nil {
			return err
		}
		// The server's user may not write here, so without this each start would compile a thousand files again.
		return run(ctx, processSpec{
			name: "compileall",
			argv: []string{"/usr/bin/python3", "-m", "compileall", "-q", "-j", "0", filepath.Join(dir, "usr/lib/python3/dist-packages")},
			dir:  dir,
			log:  log,
		}, account{})
	})
	if err != nil {
		return nil, err
	}
	return odoo19{root: root}, nil
}

// linkShared makes the folders reachable to which files of the package link relatively. Without jquery the login page
// answers 500 and reports fail.
func linkShared(root string) error {
	shared, err := filepath.Glob("/usr/share/fonts*")
	if err != nil {
		return fmt.Errorf("shared files: %w", err)
	}
	for _, source := range append(shared, "/usr/share/javascript") {
		target := filepath.Join(root, source)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return fmt.Errorf("shared files: %w", err)
		}
		if err := os.Symlink(source, target); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("shared files: %w", err)
		}
	}
	return nil
}

// command names Debian's Python, because another one may come first on the PATH, and the script, because
// "python3 -m odoo" breaks with workers.
func (o odoo19) command(_ string, arguments ...string) []string {
	return append([]string{"/usr/bin/python3", filepath.Join(o.root, "usr/bin/odoo")}, arguments...)
}

func (o odoo19) inner(_, path string) string { return path }

func (o odoo19) env() []string {
	return []string{"PYTHONPATH=" + filepath.Join(o.root, "usr/lib/python3/dist-packages")}
}

func (o odoo19) addons() string {
	return filepath.Join(o.root, "usr/lib/python3/dist-packages/odoo/addons")
}
