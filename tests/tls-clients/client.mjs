// Posts what it reads, over TLS as Node speaks it, and writes what comes back:
// node client.mjs PORT SERVER_NAME CA_FILE ALPN
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import tls from "node:tls";

const [port, servername, caFile, alpn] = process.argv.slice(2);
const ca = readFileSync(caFile);
const body = readFileSync(0);
const options = { host: "127.0.0.1", port: Number(port), servername, ca, ALPNProtocols: [alpn] };
const fail = (error) => {
  console.error(error);
  process.exit(1);
};

if (alpn === "h2") {
  const session = http2.connect(`https://${servername}`, { createConnection: () => tls.connect(options) });
  session.on("error", fail);
  const stream = session.request({ ":method": "POST", ":path": "/v1/messages" });
  stream.on("error", fail).on("end", () => session.close()).pipe(process.stdout);
  stream.end(body);
} else {
  const headers = { host: servername };
  const request = https.request({ ...options, method: "POST", path: "/v1/messages", headers }, (response) =>
    response.pipe(process.stdout),
  );
  request.on("error", fail).end(body);
}
