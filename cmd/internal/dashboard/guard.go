package dashboard

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard keeps everybody out but browsers that were given the first URL: other programs and users of this host, other pages of the same
// browser, and names that only lead here (DNS rebinding). Nothing but reading comes through.
type guard struct {
	// token is in the first URL, and session in the cookie that the browser is given for it.
	token, session string
	// key is given to the browser with the cookie, and is in every request for what the cluster says. A browser sends cookies to all ports of a
	// host, hence to other programs, too; this one its page keeps, by the rules of origins.
	key string
	// address is where it listens, and port that of it. Remote says that it does so not only on loopback.
	address, port string
	remote        bool
	next          http.Handler
}

// tokenParam is the parameter of the first URL.
const tokenParam = "token"

// keyParam is the parameter, and in the redirect to the page the part of the fragment, that has the key.
const keyParam = "key"

// policy is the Content-Security-Policy: everything comes from here, nothing is in the page itself, and no text becomes markup.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, h := range [...][2]string{{"Content-Security-Policy", policy}, {"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"},
		{"Cache-Control", "no-store"}, {"Cross-Origin-Opener-Policy", "same-origin"}, {"Cross-Origin-Resource-Policy", "same-origin"}} {
		w.Header().Set(h[0], h[1])
	}
	token := r.URL.Query().Get(tokenParam)
	switch {
	case !g.names(r.Host):
		http.Error(w, "asked for by another name; want "+g.address, http.StatusMisdirectedRequest)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "there is nothing here but to read", http.StatusMethodNotAllowed)
	case token != "" && same(token, g.token):
		// From here on the cookie counts, so that the token is in no link that is copied.
		http.SetCookie(w, &http.Cookie{Name: g.cookie(), Value: g.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/#"+keyParam+"="+g.key, http.StatusSeeOther)
	case !g.sameOrigin(r):
		http.Error(w, "asked for by another page", http.StatusForbidden)
	case !g.known(r):
		http.Error(w, "open the URL that mini-hpa dashboard has printed; it is another one each time it is started", http.StatusForbidden)
	default:
		g.next.ServeHTTP(w, r)
	}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// cookie is its name. Browsers keep cookies by host, whatever the port.
func (g *guard) cookie() string { return "mini-hpa-dashboard-" + g.port }

func (g *guard) known(r *http.Request) bool {
	cookie, err := r.Cookie(g.cookie())
	tells := r.URL.Path == pathDoctor || r.URL.Path == pathStream || strings.HasPrefix(r.URL.Path, pathStream+"/") || strings.HasPrefix(r.URL.Path, pathTry)
	return err == nil && same(cookie.Value, g.session) && (!tells || same(r.URL.Query().Get(keyParam), g.key))
}

// names says whether a Host header names this process as somebody does who was given its address: no name does but localhost.
func (g *guard) names(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil || port != g.port {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (ip.IsLoopback() || g.remote)
}

// sameOrigin says whether a page of this process asks, or the user himself.
func (g *guard) sameOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || site == "none"
}
