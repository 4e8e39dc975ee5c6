// Posts what it reads, over TLS as Go speaks it, and writes what comes back:
// client PORT SERVER_NAME CA_FILE ALPN
//
// With ech=PUBLIC_NAME for ALPN it hides the server's name in an encrypted ClientHello under a key that no server has, and writes
// "rejected" where it is told so.
package main

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	port, name, ca, alpn := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	pem, err := os.ReadFile(ca)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: roots}
	if public, ok := strings.CutPrefix(alpn, "ech="); ok {
		config.EncryptedClientHelloConfigList = configList(public)
	}
	transport := &http.Transport{
		TLSClientConfig:   config,
		ForceAttemptHTTP2: alpn == "h2",
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	response, err := (&http.Client{Transport: transport}).Post("https://"+name+"/v1/messages", "text/plain", os.Stdin)
	var rejected *tls.ECHRejectionError
	if errors.As(err, &rejected) {
		fmt.Print("rejected")
		return
	}
	check(err)
	if major := response.ProtoMajor; (major == 2) != (alpn == "h2") {
		log.Fatalf("%s where %s was wanted", response.Proto, alpn)
	}
	_, err = io.Copy(os.Stdout, response.Body)
	check(err)
}

// configList is an ECHConfigList (RFC 9849, section 4) of one configuration.
func configList(public string) []byte {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	check(err)
	behindLength := func(bytes []byte) []byte {
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(bytes))), bytes...)
	}
	contents := append([]byte{7, 0, 0x20}, behindLength(key.PublicKey().Bytes())...) // id, DHKEM(X25519)
	contents = append(contents, behindLength([]byte{0, 1, 0, 1})...)                 // HKDF-SHA256, AES-128-GCM
	contents = append(append(contents, 64, byte(len(public))), public...)            // longest name, public name
	contents = append(contents, 0, 0)                                                // no extensions
	return behindLength(append([]byte{0xfe, 0x0d}, behindLength(contents)...))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
