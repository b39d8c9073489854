package main

import (
	"net"
	"os"
	"strings"
)

// fullHostname returns what Python's socket.getfqdn makes of this computer's name, as numat's
// exporter shows it: the name by which its own address is known, if that has a domain.
func fullHostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	addresses, _ := net.LookupHost(host)
	for _, address := range addresses {
		names, _ := net.LookupAddr(address)
		for _, name := range names {
			if name = strings.TrimSuffix(name, "."); strings.Contains(name, ".") {
				return name
			}
		}
	}
	return host
}
