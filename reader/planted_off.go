//go:build !planted

package reader

// planted is the place for the fault of planted_on.go, which only a test's build has.
func planted(a accessor) accessor { return a }
