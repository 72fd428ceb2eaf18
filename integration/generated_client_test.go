package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/integration/stack"
)

// Ensure a client that openapi-typescript generates from the document compiles, and does what the document says.
func TestGeneratedClient(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, nil)
	v.admin(t, s)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS("testdata/generated")))
	document := v.send("GET", "/v2/openapi.json?models=res.partner.category", v.token, "")
	require.Equal(t, 200, document.status)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "api.json"), document.body, 0o600))

	if _, err := exec.LookPath("npm"); err != nil {
		require.NoError(t, stack.InstallPackages(t.Context(), os.Stderr, "the generated client", "nodejs", "npm"))
	}
	admin := s.User(stack.RoleAdmin)
	run := func(name string, args ...string) []byte {
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = folder
		command.Env = append(os.Environ(), "LATERAL_URL="+v.url, "LATERAL_LOGIN="+admin.Login, "LATERAL_PASSWORD="+admin.Password)
		var complaints bytes.Buffer
		command.Stderr = &complaints
		out, err := command.Output()
		require.NoError(t, err, "%s %v: %s%s", name, args, out, complaints.Bytes())
		return out
	}
	run("npm", "ci", "--no-audit", "--no-fund")
	run("node_modules/.bin/openapi-typescript", "api.json", "-o", "api.d.ts")
	run("node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable", "client.ts")
	var got struct {
		Name  string
		Color int
		Found []int64
		ID    int64
		Gone  int
	}
	require.NoError(t, json.Unmarshal(run("node", "client.js"), &got))
	require.Equal(t, "Generated", got.Name)
	require.Equal(t, 4, got.Color)
	require.Equal(t, []int64{got.ID}, got.Found)
	require.Equal(t, 404, got.Gone)
}
