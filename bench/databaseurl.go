// Here: connection strings that pgx and node-postgres both understand.

package main

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// databaseURL returns the URL of a database on the server that c names. A unix socket's
// folder is given in the query, where both drivers look for it.
func databaseURL(c *pgx.ConnConfig, database string) string {
	u := url.URL{Scheme: "postgres", Path: "/" + database}
	query := url.Values{}
	if strings.HasPrefix(c.Host, "/") {
		query.Set("host", c.Host)
		query.Set("port", strconv.Itoa(int(c.Port)))
		query.Set("user", c.User)
		if c.Password != "" {
			query.Set("password", c.Password)
		}
	} else {
		u.Host = net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
		u.User = url.User(c.User)
		if c.Password != "" {
			u.User = url.UserPassword(c.User, c.Password)
		}
	}
	if c.TLSConfig == nil {
		query.Set("sslmode", "disable")
	}
	u.RawQuery = query.Encode()
	return u.String()
}
