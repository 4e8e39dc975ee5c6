//! TLS as real clients speak it passes through untouched, and the name that each asks for is read.
//!
//! The programs are in `tests/tls-clients`. `NODE` names a node, else the one on `PATH` is taken, as all others are. One that is not
//! there is left out, and said so; those that `TLS_CLIENTS` names (`openssl curl go node python3 java`) have to be there.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use e2e::egress::each;
use e2e::egress_tls::{ANTHROPIC, hosts, leading};
use harness::{Pki, Reply, Upstream, workspace_root};
use serde_json::json;

/// A TLS library with the program that speaks it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Client {
    OpenSsl,
    Curl,
    Go,
    Node,
    Python,
    Java,
}

const ALL: [Client; 6] = [Client::OpenSsl, Client::Curl, Client::Go, Client::Node, Client::Python, Client::Java];

/// What a client is to do.
struct Job<'a> {
    port: u16,
    name: &'a str,
    ca: &'a Path,
    alpn: &'a str,
    body: &'a [u8],
}

/// A directory for what the clients read, the same in each run.
fn directory() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tls-clients");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

impl Client {
    fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::Curl => "curl",
            Self::Go => "go",
            Self::Node => "node",
            Self::Python => "python3",
            Self::Java => "java",
        }
    }

    fn program(self) -> Option<PathBuf> {
        let given = if self == Self::Node { std::env::var_os("NODE").map(PathBuf::from) } else { None };
        given.or_else(|| on_path(self.name()))
    }

    /// What it can speak inside of TLS.
    fn protocols(self) -> &'static [&'static str] {
        match self {
            Self::OpenSsl | Self::Python => &["http/1.1"],
            Self::Curl | Self::Go | Self::Node | Self::Java => &["http/1.1", "h2"],
        }
    }

    /// Posts the body and gives the answer's, or what the client says of why there is none.
    fn post(self, job: &Job) -> Result<Vec<u8>, String> {
        let programs = workspace_root().join("tests/tls-clients");
        let program = self.program().unwrap();
        let arguments = [job.port.to_string(), job.name.to_owned(), job.ca.display().to_string(), job.alpn.to_owned()];
        match self {
            Self::OpenSsl => {
                let mut command = Command::new(program);
                command.args([
                    "s_client",
                    "-quiet",
                    "-verify_return_error",
                    "-connect",
                    &format!("127.0.0.1:{}", job.port),
                ]);
                command
                    .args(["-servername", job.name, "-verify_hostname", job.name, "-alpn", job.alpn])
                    .arg("-CAfile")
                    .arg(job.ca);
                let head = format!(
                    "POST /v1/messages HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    job.name,
                    job.body.len()
                );
                let answer = run(command, &[head.as_bytes(), job.body].concat())?;
                let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("no head")?;
                Ok(answer[end + 4..].to_vec())
            }
            Self::Curl => {
                let version = if job.alpn == "h2" { "--http2" } else { "--http1.1" };
                let mut command = Command::new(program);
                command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", version, "--data-binary", "@-"]);
                command.args(["-H", "expect:", "--connect-to", &format!("::127.0.0.1:{}", job.port)]);
                command.arg("--cacert").arg(job.ca).arg(format!("https://{}/v1/messages", job.name));
                run(command, job.body)
            }
            Self::Go => {
                static BUILT: OnceLock<PathBuf> = OnceLock::new();
                let built = BUILT.get_or_init(|| {
                    let built = directory().join("go-client");
                    let mut command = Command::new(program);
                    command.arg("build").arg("-o").arg(&built).arg(programs.join("client.go"));
                    run(command, b"").unwrap();
                    built
                });
                let mut command = Command::new(built);
                command.args(arguments);
                run(command, job.body)
            }
            Self::Node => {
                let mut command = Command::new(program);
                command.arg(programs.join("client.mjs")).args(arguments);
                run(command, job.body)
            }
            Self::Python => {
                let mut command = Command::new(program);
                command.arg(programs.join("client.py")).args(arguments);
                run(command, job.body)
            }
            Self::Java => {
                let hosts = directory().join("hosts");
                std::fs::write(&hosts, format!("127.0.0.1 {}\n", job.name)).unwrap();
                let mut command = Command::new(program);
                command.arg(format!("-Djdk.net.hosts.file={}", hosts.display()));
                command.arg(programs.join("Client.java")).args(arguments);
                run(command, job.body)
            }
        }
    }
}

fn run(mut command: Command, input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// The clients that are here. Tests that pass say nothing but what goes around the test runner.
fn clients() -> Vec<Client> {
    let (here, missing): (Vec<_>, Vec<_>) = ALL.into_iter().partition(|client| client.program().is_some());
    let must = std::env::var("TLS_CLIENTS").unwrap_or_default();
    for client in missing {
        assert!(!must.split_whitespace().any(|name| name == client.name()), "not on PATH: {client:?}");
        let _ = writeln!(std::io::stderr(), "left out, as it is not on PATH: TLS by {client:?}");
    }
    here
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_pass_and_the_name_of_each_is_read() {
    let pki = Pki::new().unwrap();
    let outside = Upstream::start_tls("tls", &pki.identity(&["*.anthropic.com"]).unwrap());
    outside.respond(|request| Reply::new(200).piece(&request.body));
    let ca = directory().join("ca.pem");
    std::fs::write(&ca, pki.ca_pem()).unwrap();
    // every byte there is, and lines that `openssl s_client` could take for orders
    let body: Vec<u8> = (0..=255).cycle().take(100_000).chain(*b"\nQ\nR\n").collect();
    let here = clients();
    each(leading(hosts("enforce"), ANTHROPIC, outside.addr()), async |sidecar| {
        for client in &here {
            for alpn in client.protocols() {
                let name = format!("{client:?}-{}.anthropic.com", alpn.replace(['/', '.'], "")).to_lowercase();
                let job = Job { port: sidecar.envoy.addr("tls").port(), name: &name, ca: &ca, alpn, body: &body };
                assert!(client.post(&job).unwrap() == body, "{client:?} got other bytes back over {alpn}");
                let request = outside.take_one();
                assert!(request.body == body, "{client:?} sent other bytes over {alpn}");
                assert_eq!(request.protocol, if *alpn == "h2" { "HTTP/2" } else { "HTTP/1.1" }, "{client:?}");
                let event = sidecar.event(|event| event["tls.client.server_name"] == json!(name)).await;
                assert_eq!(
                    (&event["decision"], &event["rule_id"]),
                    (&json!("allow"), &json!("anthropic")),
                    "{event:#}"
                );
                assert!(event["sent.bytes"].as_u64() > Some(100_000), "{event:#}");
            }

            // a name that no rule allows: the client says so in its way, and nothing has left
            let name = format!("{}.example.com", client.name());
            let job =
                Job { port: sidecar.envoy.addr("tls").port(), name: &name, ca: &ca, alpn: "http/1.1", body: &body };
            client.post(&job).unwrap_err();
            assert_eq!(outside.take_requests().len(), 0, "{client:?}");
            let event = sidecar.event(|event| event["tls.client.server_name"] == json!(name)).await;
            assert_eq!((&event["decision"], &event["sent.bytes"]), (&json!("deny"), &json!(0)), "{event:#}");
        }
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_go_encrypts_is_not_seen_and_that_it_hides_one_is_told() {
    let Some(_) = Client::Go.program() else { return };
    let pki = Pki::new().unwrap();
    let outside = Upstream::start_tls("tls", &pki.identity(&["*.anthropic.com"]).unwrap());
    let files = directory();
    let ca = files.join("ca-of-go.pem");
    std::fs::write(&ca, pki.ca_pem()).unwrap();
    each(leading(hosts("enforce"), ANTHROPIC, outside.addr()), async |sidecar| {
        let job = Job {
            port: sidecar.envoy.addr("tls").port(),
            name: "hidden.example.com",
            ca: &ca,
            alpn: "ech=public.anthropic.com",
            body: b"",
        };
        // the outside knows no ECH: Go finishes the handshake with the name in clear, and refuses to go on
        assert_eq!(Client::Go.post(&job).unwrap(), b"rejected");
        let event = sidecar.event(|event| event["tls.client.encrypted_hello"] == true).await;
        assert_eq!(event["tls.client.server_name"], "public.anthropic.com", "{event:#}");
        assert_eq!((&event["decision"], &event["rule_id"]), (&json!("allow"), &json!("anthropic")), "{event:#}");
        // with the key shares of today (X25519MLKEM768) twice, it is longer than a segment of Ethernet
        assert!(event["sent.bytes"].as_u64() > Some(1500), "{event:#}");
        assert!(!sidecar.envoy.logs().lines().iter().any(|line| line.contains("hidden")));
        sidecar.assert_whole().await;
    })
    .await;
}
