"""Posts what it reads, over TLS as Python speaks it, and writes what comes back: client.py PORT SERVER_NAME CA_FILE ALPN"""

import http.client
import socket
import ssl
import sys

port, name, ca, alpn = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.set_alpn_protocols([alpn])
tcp = socket.create_connection(("127.0.0.1", int(port)))
connection = http.client.HTTPSConnection(name)
connection.sock = context.wrap_socket(tcp, server_hostname=name)
assert connection.sock.selected_alpn_protocol() == alpn
connection.request("POST", "/v1/messages", body=sys.stdin.buffer.read())
sys.stdout.buffer.write(connection.getresponse().read())
