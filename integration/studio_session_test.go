package integration

import (
	"strings"

	"github.com/chromedp/chromedp"

	"lateral/integration/stack"
)

const refreshToken = `JSON.parse(sessionStorage.getItem("lateral.studio")).refresh`

// revoke ends the session of the page behind its back, as an administrator or the time would.
func (b *browser) revoke(v *service) {
	b.t.Helper()
	if got := v.send("POST", "/api/auth/delete_tokens", "", `{"refresh_token": "`+b.text(refreshToken)+`"}`); got.status != 200 {
		b.t.Fatalf("revoking the page's tokens: %d %s", got.status, got.body)
	}
}

// sessionEnded waits for the page to tell that its session is over.
func (b *browser) sessionEnded(login string) {
	b.t.Helper()
	b.until(`!document.getElementById("login").hidden && document.getElementById("studio").hidden`)
	b.expect(`document.getElementById("login-error").textContent`, "Your session has ended. Log in again: what you were editing is kept for "+login+".")
	b.expect(`sessionStorage.getItem("lateral.studio")`, "null")
}

// logInAgain gives the password alone: the page knows who was logged in.
func (b *browser) logInAgain(password string) {
	b.t.Helper()
	b.do("logging in again",
		chromedp.SetValue(chromedp.CSS("[name=password]"), password),
		chromedp.Click(chromedp.CSS("#login-form button")),
		chromedp.WaitVisible(chromedp.CSS("#studio")))
}

// studioSession ensures a token that has expired is renewed unseen, that the page tells of a session that
// has ended and goes back to the login, that the user then goes on with the text that was being
// edited, and that another user does not see it.
func studioSession(b *browser, s *stand, v *service) {
	b.t.Helper()
	admin, demo := s.User(stack.RoleAdmin), s.User(stack.RoleDemo)
	b.do("logging out", chromedp.Click(chromedp.CSS("#logout")))
	b.logIn(admin.Login, admin.Password)
	b.pick("res.partner")
	b.do("read all", chromedp.Click(chromedp.CSS("[data-part=read_all]")))
	b.write("('id', 'city')")
	b.until(viewText + `.includes('"city"')`)

	// The access token alone is over, as after ten minutes.
	if got := v.send("POST", "/api/auth/refresh_token", "", `{"refresh_token": "`+b.text(refreshToken)+`"}`); got.status != 200 {
		b.t.Fatalf("refreshing the page's token: %d %s", got.status, got.body)
	}
	b.write("('id', 'city', 'zip')")
	b.until(viewText + `.includes('"zip"')`)
	b.expect(`document.getElementById("studio").hidden`, "false")

	// All of it is over while the user types.
	const text = "(\n    'id', 'city',  # mine\n    'zip', 'phone',\n)"
	b.revoke(v)
	b.write(text)
	b.sessionEnded(admin.Login)
	b.shot("11-session-ended")
	b.logInAgain(admin.Password)
	b.until(viewText + `.includes('"phone"')`)
	if got := b.text(editorText); got != text {
		b.t.Errorf("after the session has ended the text is %q, not %q", got, text)
	}
	b.expect(`document.querySelector("#parts [aria-selected=true]").dataset.part`, "read_all")
	b.expect(`document.querySelector('`+row("phone")+`').parentElement.ariaChecked`, "true")
	b.expect(`document.getElementById("mistakes").textContent`, "")
	b.expect(`document.getElementById("draft-state").textContent`, "not saved")
	b.shot("12-logged-in-again")

	// It is over while the user saves: nothing is saved, and the review does not stand before the login.
	b.do("review", chromedp.Click(chromedp.CSS("#save")), chromedp.WaitVisible(chromedp.CSS("#review")))
	b.revoke(v)
	b.do("save", chromedp.Click(chromedp.CSS("#review-save")))
	b.sessionEnded(admin.Login)
	b.expect(`document.getElementById("review").open`, "false")
	if got := v.send("GET", "/studio/api/presets/res.partner", v.admin(b.t, s), ""); !strings.Contains(string(got.body), `"stored":null`) {
		b.t.Errorf("saved without a session: %d %s", got.status, got.body)
	}

	// Another user logs in there.
	b.logIn(demo.Login, demo.Password)
	b.until(`document.getElementById("user").textContent === "` + demo.Login + `" && ` + viewText + `.includes('"name"')`)
	if got := b.text(editorText); strings.Contains(got, "mine") || strings.Contains(got, "phone") {
		b.t.Errorf("another user is shown %q", got)
	}
	b.quiet("401")
}
