package main

import (
	"context"
	"net/http"
)

type user struct {
	name string
	// personnel may change salaries, auditors look at the whole trail.
	personnel, auditor bool
}

// users are who may sign in. An app has a table of them, and no password that
// is the same for all.
var users = map[string]user{
	"kim":  {name: "kim", personnel: true},
	"bob":  {name: "bob"},
	"ines": {name: "ines", auditor: true},
}

type userKey struct{}

func userFrom(ctx context.Context) user {
	u, _ := ctx.Value(userKey{}).(user)
	return u
}

// signIn lets nobody pass who has not signed in.
func signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		u, known := users[name]
		if !known || password != "demo" {
			w.Header().Set("WWW-Authenticate", `Basic realm="payroll"`)
			http.Error(w, "sign in as kim, bob or ines", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
	})
}
