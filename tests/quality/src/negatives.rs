//! Hard negatives: texts that hold no value and look as if they did. What is found in them is wrong.

use crate::check;
use crate::random::{BASE64, CAPITALS, DIGITS, HEX, Random, SMALL, WORD};
use crate::text::Text;
use crate::values::grouped;

/// Kinds of negatives, each with what makes one.
type Maker = fn(&mut Random) -> String;

/// All kinds.
pub const KINDS: &[(&str, Maker)] = &[
    ("order and invoice ids", order),
    ("epochs", epoch),
    ("timestamps and times", timestamp),
    ("hashes", hash),
    ("UUIDs", uuid),
    ("versions", version),
    ("section numbers", section),
    ("code", code),
    ("code with secrets' names", code_with_names),
    ("placeholders for secrets", placeholder),
    ("prices", price),
    ("ISBN and EAN", isbn),
    ("tracking numbers", tracking),
    ("base64", base64),
    ("ids like telephones", phone_like),
    ("invalid cards", invalid_card),
    ("invalid IBANs", invalid_iban),
    ("invalid national numbers", invalid_number),
    ("numbers never given out", not_given),
    ("local and special addresses", local_address),
    ("git remotes and packages", git),
    ("CSS", css),
    ("ranges", range),
    ("math", math),
    ("coordinates and measures", coordinates),
    ("dates of no birth", date),
    ("traces and requests", trace),
    ("cloud resources", cloud),
    ("colons and C++", colons),
    ("memory addresses", memory),
    ("part numbers", part),
    ("file names", file),
    ("statistics", statistics),
    ("public keys and certificates", public_key),
    ("addresses of pages", page),
    ("handles and decorators", handle),
    ("words of secrets in prose", talk),
    ("words of numbers in prose", talk_of_numbers),
    ("plain prose", prose),
    ("tables of numbers", table),
];

/// One of a kind.
#[must_use]
pub fn negative(kind: usize, random: &mut Random) -> Text {
    let (name, make) = KINDS[kind % KINDS.len()];
    Text::negative(name, make(random))
}

fn order(random: &mut Random) -> String {
    let length = random.between(6, 16);
    let digits = random.number(length);
    let (word, quarter) = (
        random.pick(&[
            "Order",
            "order no.",
            "Invoice",
            "invoice #",
            "ticket",
            "Case",
            "Bestellung",
            "commande n°",
            "PO",
        ]),
        random.number(4),
    );
    match random.below(4) {
        0 => format!("{word} {digits} was delivered."),
        1 => format!("{{\"order_id\":\"{digits}\",\"status\":\"paid\"}}"),
        2 => format!("{word} {}-{quarter}-{} is late.", random.signs(CAPITALS, 3), random.digits(5)),
        _ => format!("order_id={digits} item_count=3"),
    }
}

fn epoch(random: &mut Random) -> String {
    let seconds = format!("17{}", random.digits(8));
    match random.below(6) {
        0 => format!("{{\"ts\":{seconds},\"ok\":true}}"),
        1 => format!("{{\"created\":{seconds}{},\"ok\":true}}", random.digits(3)),
        2 => format!("expires={seconds}; path=/"),
        3 => format!("at {seconds}{} ns since boot", random.digits(9)),
        4 => format!("{seconds}.{} GET /health 200", random.digits(6)),
        _ => format!("last seen {seconds}{}", random.digits(6)),
    }
}

fn timestamp(random: &mut Random) -> String {
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    match random.below(5) {
        0 => format!(
            "2026-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{}Z started",
            random.between(1, 12),
            random.between(1, 28),
            random.digits(6)
        ),
        1 => format!("The train leaves at {hour}:{minute:02} and arrives at {}:{second:02}.", (hour + 2) % 24),
        2 => format!("{hour:02}:{minute:02}:{second:02}:{:02} is the frame you want", random.below(25)),
        3 => format!("duration 00:{minute:02}:{second:02}.{}, bitrate 128 kb/s", random.digits(2)),
        _ => format!(
            "backup-2026{:02}{:02}{hour:02}{minute:02}{second:02}.tar.gz",
            random.between(1, 12),
            random.between(1, 28)
        ),
    }
}

fn hash(random: &mut Random) -> String {
    let length = random.pick(&[32, 40, 64, 128]);
    let hash = random.signs(HEX, length);
    match random.below(6) {
        0 => format!("commit {}", random.signs(HEX, 40)),
        1 => format!("image: registry.example.com/app@sha256:{}", random.signs(HEX, 64)),
        2 => format!("{hash}  release.tar.gz"),
        3 => format!("\"integrity\": \"sha512-{}==\"", random.signs(BASE64, 86)),
        4 => format!("etag: \"{}\"", random.signs(HEX, 32)),
        _ => format!("fixed in {} (see {})", random.signs(HEX, 8), random.signs(HEX, 12)),
    }
}

fn uuid(random: &mut Random) -> String {
    let uuid = grouped(&random.signs(HEX, 32), &[8, 4, 4, 4, 12], "-");
    let uuid = if random.percent(30) { uuid.to_uppercase() } else { uuid };
    let digits = grouped(&random.digits(32), &[8, 4, 4, 4, 12], "-");
    match random.below(4) {
        0 => format!("request {uuid} failed"),
        1 => format!("{{\"id\":\"{uuid}\"}}"),
        2 => format!("session_id={digits}"),
        _ => format!("/volumes/{uuid}/data"),
    }
}

fn version(random: &mut Random) -> String {
    let part = |random: &mut Random| random.below(30);
    let four = format!("{}.{}.{}.{}", part(random), part(random), part(random), part(random));
    match random.below(7) {
        0 => format!("version {four} is out"),
        1 => format!("Chrome/{}.0.{}.{} Safari/537.36", random.between(90, 130), random.number(4), part(random)),
        2 => format!("upgrade from v{four} first"),
        3 => format!("openssl 3.{}.{}-r{}", part(random), part(random), part(random)),
        4 => format!(
            "serde = \"1.0.{}\"\nhttp = \"{}.{}.{}\"",
            random.number(3),
            part(random),
            part(random),
            part(random)
        ),
        5 => format!("AssemblyVersion(\"{four}\")"),
        _ => format!("Firmware {four} fixes it."),
    }
}

fn section(random: &mut Random) -> String {
    let parts: Vec<String> = (0..random.between(3, 5)).map(|_| random.between(1, 12).to_string()).collect();
    let number = parts.join(".");
    match random.below(3) {
        0 => format!("See section {number} of the manual."),
        1 => format!("§ {number} applies."),
        _ => format!("{number}. Scope\nThis chapter says what is covered."),
    }
}

fn code(random: &mut Random) -> String {
    let number = random.number(5);
    random
        .pick(&[
            "for (let i = 0; i < 4096; i++) { total += table[i] ^ 0x1f2e3d4c; }",
            "@app.route('/users/<int:id>')\ndef user(id):\n    return db.get(id)",
            "let mask: u64 = 0xffff_ffff_0000_0000;",
            "if (x == 1234567890) return 987654321;",
            "INSERT INTO t VALUES (100200300, 'a@b', 3.14159265358979);",
            "#define MAGIC 0xdeadbeefcafebabe",
            "assert_eq!(fnv(b\"foobar\"), 0x85944171f73967e8);",
            "seed = 6364136223846793005 * x + 1442695040888963407",
            "const PRIMES = [1000003, 1000033, 1000037, 1000039, 2147483647];",
            "sed -i 's/[0-9]\\{3\\}-[0-9]\\{2\\}-[0-9]\\{4\\}/XXX-XX-XXXX/g' file",
            "regex = r'\\d{3}-\\d{2}-\\d{4}'",
            "chmod 0755 run.sh && nohup ./run.sh > out.log 2>&1 &",
        ])
        .to_owned()
        + &format!(" // {number}")
}

fn code_with_names(random: &mut Random) -> String {
    random
        .pick(&[
            "password = getpass.getpass('Password: ')",
            "const token = await auth.getAccessToken();",
            "api_key = os.environ[\"OPENAI_API_KEY\"]",
            "secret: process.env.CLIENT_SECRET,",
            "if (password.length < minimumPasswordLength) throw new Error(\"password too short\");",
            "let token = parser.next_token();",
            "SELECT password_hash FROM users WHERE id = ?",
            "<input type=\"password\" name=\"password\" placeholder=\"Enter your password\">",
            "  password: ${DB_PASSWORD}",
            "apiKey: config.get('payment.apiKey'),",
            "TOKEN_LIMIT = 128000\nmax_tokens=4096",
            "self.secret_key = secrets.token_urlsafe(32)",
            "valueFrom:\n  secretKeyRef:\n    name: postgres-credentials\n    key: password",
            "foreign_key: customers.customer_identifier",
            "primary_key=True, unique_key=\"uq_orders_number\"",
            "def reset_password(user, new_password=None):",
            "passwordField.setAccessibilityIdentifier(\"loginPasswordField\")",
            "auth: Depends(get_current_active_user)",
            "cache_key = f\"user:{user_id}:profile\"",
            "public_key_path = \"/etc/ssl/certs/server-public.pem\"",
            "token_type: bearer",
            "credential: NSURLCredential.forTrust(serverTrust)",
        ])
        .to_owned()
}

fn placeholder(random: &mut Random) -> String {
    random
        .pick(&[
            "OPENAI_API_KEY=sk-...",
            "api_key = \"your-api-key-here\"",
            "password: ********",
            "export TOKEN=<YOUR_TOKEN>",
            "password=changeme",
            "Authorization: Bearer <token>",
            "postgres://user:password@localhost:5432/db",
            "postgres://${DB_USER}:${DB_PASSWORD}@db:5432/app",
            "mysql://USERNAME:PASSWORD@HOST/DATABASE",
            "client_secret: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "aws_secret_access_key = YOUR_SECRET_ACCESS_KEY",
            "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "SSN: XXX-XX-XXXX",
            "card: **** **** **** 1234",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "phone: +1 (XXX) XXX-XXXX",
            "https://<user>:<password>@example.com/repo.git",
            "SECRET_KEY = 'insert-a-long-random-string'",
            "token: [EMAIL_1] and [US_SSN_2] were replaced",
            "IBAN: DE.. .... .... .... .... ..",
            "password: {{ vault.db_password }}",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        ])
        .to_owned()
}

fn price(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("Total: ${}.{:02}", random.number(4), random.below(100)),
        1 => format!(
            "Revenue was {} USD, costs {} USD.",
            grouped(&random.number(9), &[3, 3, 3], ","),
            grouped(&random.number(9), &[3, 3, 3], ",")
        ),
        2 => format!("€ {},{:02} netto", grouped(&random.number(9), &[3, 3, 3], "."), random.below(100)),
        3 => format!("a budget of {} for 2026", grouped(&random.number(9), &[3, 3, 3], " ")),
        _ => format!("amount={}{} currency=JPY", random.number(9), random.digits(2)),
    }
}

fn isbn(random: &mut Random) -> String {
    let twelve = format!("978{}", random.digits(9));
    let sum: usize =
        twelve.bytes().enumerate().map(|(at, digit)| usize::from(digit - b'0') * if at % 2 == 0 { 1 } else { 3 }).sum();
    let digits = format!("{twelve}{}", (10 - sum % 10) % 10);
    match random.below(4) {
        0 => format!("ISBN {}", grouped(&digits, &[3, 1, 4, 4, 1], "-")),
        1 => format!("ISBN-13: {digits}, 412 pages"),
        2 => format!("ISBN 0-{}-{}-{}", random.digits(3), random.digits(5), random.pick(&["X", "3", "7"])),
        _ => format!("EAN {digits}"),
    }
}

fn tracking(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!(
            "UPS 1Z{}{} left the depot.",
            random.signs("0123456789ABCDEFGHIJKLMNPQRSTUVWXYZ", 6),
            random.digits(10)
        ),
        1 => format!("FedEx tracking {}", random.number(12)),
        2 => format!("Tracking number: {}", grouped(&format!("94{}", random.digits(20)), &[4, 4, 4, 4, 4, 2], " ")),
        3 => format!("DHL Sendungsnummer {}", random.number(20)),
        _ => format!(
            "Your parcel {}{}{} is on its way.",
            random.signs(CAPITALS, 2),
            random.digits(9),
            random.pick(&["DE", "GB", "US", "CN"])
        ),
    }
}

fn base64(random: &mut Random) -> String {
    let length = random.between(10, 60) * 4;
    let body = random.signs(BASE64, length);
    match random.below(4) {
        0 => format!("data:image/png;base64,iVBORw0KGgo{body}"),
        1 => format!("{{\"blob\":\"{body}==\"}}"),
        2 => format!("--boundary\nContent-Transfer-Encoding: base64\n\n{body}\n--boundary--"),
        _ => format!("\"cursor\": \"{}=\"", random.signs(WORD, 43)),
    }
}

fn phone_like(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("Part {}-{}-{} is out of stock.", random.number(3), random.digits(4), random.digits(2)),
        1 => format!("model 555-{}-{}", random.digits(2), random.digits(5)),
        2 => format!("SKU {}", grouped(&random.number(10), &[2, 4, 4], "-")),
        3 => format!("account plan {} of {}", random.number(3), random.number(4)),
        4 => format!("serial no. {}", random.number(10)),
        _ => format!("ref {}/{}/{}", random.number(4), random.number(4), random.number(2)),
    }
}

fn invalid_card(random: &mut Random) -> String {
    let digits = format!("{}{}", random.pick(&["4", "51", "54", "2221", "6011"]), random.digits(15));
    let fifteen = &digits[..15];
    let wrong = (check::luhn(fifteen) + random.between(1, 9)) % 10;
    let number = format!("{fifteen}{wrong}");
    match random.below(3) {
        0 => format!("reference {number} was not found"),
        1 => format!("It says {}.", grouped(&number, &[4, 4, 4, 4], " ")),
        _ => format!("{{\"object\":\"{number}\"}}"),
    }
}

fn invalid_iban(random: &mut Random) -> String {
    let account = random.digits(18);
    let right: usize = check::iban("DE", &account).parse().unwrap_or(0);
    let wrong = (right + random.between(1, 90)) % 97 + 2;
    let wrong = if wrong == right { wrong - 1 } else { wrong };
    match random.below(2) {
        0 => format!("The form rejected DE{wrong:02}{account}."),
        _ => format!("typed DE{wrong:02} {}", grouped(&account, &[4, 4, 4, 4, 2], " ")),
    }
}

/// Those whose check alone tells, with a wrong check.
fn invalid_number(random: &mut Random) -> String {
    let wrong = |right: usize, random: &mut Random| (right + random.between(1, 9)) % 10;
    let other = |right: char, from: &str, random: &mut Random| loop {
        let sign = random.pick(from.as_bytes());
        if char::from(sign) != right {
            return char::from(sign);
        }
    };
    match random.below(8) {
        0 => {
            let nine = random.digits(9);
            let right = check::cpf(&nine);
            let last = (right[9..].parse::<usize>().unwrap_or(0) + random.between(1, 98)) % 100;
            format!("código {}-{last:02}", grouped(&nine, &[3, 3, 3], "."))
        }
        1 => {
            let digits = random.number(8);
            format!(
                "item {digits}{}",
                other(check::nif(digits.parse().unwrap_or(0)), "TRWAGMYFPDXBNJZSQVHLCKE", random)
            )
        }
        2 => {
            let seven = format!("0{}", random.digits(6));
            format!("code S{seven}{}", other(check::nric('S', &seven), "JZIHGFEDCBA", random))
        }
        3 => {
            let eleven = random.signs("23456789", 1) + &random.digits(10);
            format!(
                "batch {}",
                grouped(&format!("{eleven}{}", wrong(check::verhoeff(&eleven), random)), &[4, 4, 4], " ")
            )
        }
        4 => {
            let abn = check::abn(&random.digits(9));
            format!(
                "lot {} {}",
                (abn[..2].parse::<usize>().unwrap_or(11) + random.between(1, 8)) % 90 + 10,
                grouped(&abn[2..], &[3, 3, 3], " ")
            )
        }
        5 => {
            let fifteen = format!("{}80A01H501", random.signs("BCDFGLMNPRSTVZ", 6));
            format!("voucher {fifteen}{}", other(check::codice_fiscale(&fifteen), CAPITALS, random))
        }
        6 => format!("PESEL-like test data {}", random.signs("456789", 4) + &random.digits(7)),
        _ => format!("wallet-like 1{}", random.signs("23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 32)),
    }
}

fn not_given(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("code 000-{}-{}", random.number(2), random.number(4)),
        1 => format!("code 666-{}-{}", random.number(2), random.number(4)),
        2 => format!("row {}-00-{}", random.number(3), random.number(4)),
        3 => format!("batch {}{}E", random.pick(&["BG", "GB", "NK", "DA", "QQ"]), random.digits(6)),
        4 => format!("field {}-{}-0000", random.number(3), random.number(2)),
        _ => "all zeros 0000 0000 0000 0000, all ones 1111111111111111".to_owned(),
    }
}

fn local_address(random: &mut Random) -> String {
    random
        .pick(&[
            "listening on 127.0.0.1:8080",
            "bind 0.0.0.0:443",
            "http://localhost:3000/health",
            "ping6 ::1",
            "netmask 255.255.255.0",
            "listen [::]:443 ssl;",
            "broadcast 255.255.255.255",
            "route 0.0.0.0/0 via eth0",
            "multicast group 224.0.0.251",
            "ff02::1 all nodes",
            "ether ff:ff:ff:ff:ff:ff",
            "mac 00:00:00:00:00:00",
            "root@localhost:~#",
            "postfix: to=<root@localhost>, relay=local",
        ])
        .to_owned()
}

fn git(random: &mut Random) -> String {
    random
        .pick(&[
            "git clone git@github.com:team/project.git",
            "npm install lodash@4.17.21 react@18.2.0",
            "uses: actions/checkout@v4",
            "ssh://git@gitlab.example.com:2222/group/app.git",
            "pip install requests==2.31.0.1",
            "import x from '@scope/package@1.2.3'",
            "docker pull nginx@sha256:3f5b",
            "git+ssh://git@bitbucket.org/team/lib.git#v1.0.3",
            "go get example.com/mod@v1.2.3",
            "@types/node@20.11.5",
            "remote: git@ssh.dev.azure.com:v3/org/project/repo",
        ])
        .to_owned()
}

fn css(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("color: #{}; background: #{};", random.signs(HEX, 6), random.signs(HEX, 8)),
        1 => {
            format!("rgba({}, {}, {}, 0.{})", random.below(256), random.below(256), random.below(256), random.number(2))
        }
        2 => format!("margin: {}px {}px; z-index: {};", random.number(2), random.number(2), random.number(10)),
        _ => "@media (min-width: 1024px) { .icon { background: url(icon@2x.png); } }".to_owned(),
    }
}

fn range(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("pages {}-{}", random.number(3), random.number(4)),
        1 => format!("ports {}-{}", random.number(4), random.number(5)),
        2 => format!(
            "from 2019-2023, {}-{} and {}-{}",
            random.number(3),
            random.number(3),
            random.number(3),
            random.number(3)
        ),
        3 => format!("lines {}..{}", random.number(4), random.number(5)),
        _ => format!("bytes {}-{}/{}", random.number(7), random.number(8), random.number(9)),
    }
}

fn math(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("{} + {} = {}", random.number(9), random.number(9), random.number(10)),
        1 => "pi is 3.14159265358979323846264338327950288".to_owned(),
        2 => format!("{} * {} - {}", random.number(6), random.number(6), random.number(4)),
        3 => format!("2^64 = 18446744073709551616 and {}^2 is less", random.number(8)),
        _ => format!("x = {}e-{}, y = -{}.{}", random.number(9), random.number(1), random.number(3), random.digits(8)),
    }
}

fn coordinates(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("at 5{}.{}, 7.{}", random.digits(1), random.digits(6), random.digits(6)),
        1 => format!(
            "{{\"lat\":{}.{},\"lon\":-{}.{}}}",
            random.number(2),
            random.digits(7),
            random.number(2),
            random.digits(7)
        ),
        2 => format!(
            "viewBox=\"0 0 {} {}\" d=\"M{} {} {} {}\"",
            random.number(3),
            random.number(3),
            random.number(3),
            random.number(3),
            random.number(4),
            random.number(4)
        ),
        _ => format!("{} x {} x {} mm, {} g", random.number(3), random.number(3), random.number(3), random.number(4)),
    }
}

fn date(random: &mut Random) -> String {
    let (month, day) = (random.between(1, 12), random.between(1, 28));
    match random.below(5) {
        0 => format!("released on 2024-{month:02}-{day:02}"),
        1 => format!("due {month}/{day}/2026"),
        2 => format!("Rechnung vom {day:02}.{month:02}.2025"),
        3 => format!("valid from {day} March 2024 to {day} March 2026"),
        _ => format!("{{\"updated_at\":\"2025-{month:02}-{day:02}\",\"expiry\":\"{month:02}/29\"}}"),
    }
}

fn trace(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("traceparent: 00-{}-{}-01", random.signs(HEX, 32), random.signs(HEX, 16)),
        1 => format!("x-request-id: {}", random.signs(WORD, 22)),
        2 => format!("req_{}", random.signs(WORD, 24)),
        3 => format!("chatcmpl-{} model=gpt-4o-2024-08-06", random.signs(WORD, 29)),
        _ => format!(
            "{{\"id\":\"msg_01{}\",\"tool_use_id\":\"toolu_01{}\"}}",
            random.signs(WORD, 22),
            random.signs(WORD, 22)
        ),
    }
}

fn cloud(random: &mut Random) -> String {
    let digits = random.signs(SMALL, 5);
    match random.below(6) {
        0 => format!("arn:aws:iam::{}:role/deploy", random.number(12)),
        1 => format!("i-0{} in vpc-0{}", random.signs(HEX, 16), random.signs(HEX, 16)),
        2 => format!("pod web-{}-{digits} restarted 3 times", random.signs(HEX, 10)),
        3 => format!("s3://bucket-{}/2026/03/02/part-{}.parquet", random.number(4), random.digits(5)),
        4 => format!("projects/{}/locations/europe-west1", random.number(12)),
        _ => format!("subscription {}", grouped(&random.signs(HEX, 32), &[8, 4, 4, 4, 12], "-")),
    }
}

fn colons(random: &mut Random) -> String {
    random
        .pick(&[
            "std::vec::Vec::<u8>::with_capacity(16)",
            "use a::b::c; let x = ::core::mem::take(y);",
            "ratio 16:9, score 3:2, odds 10:1",
            "template<typename T> a::b::c::d::e::f::g::h();",
            "John 3:16, Psalm 119:105, Romans 8:28-30",
            "key:value:other:1:2:3:4",
            "dead::beef is not C++",
            "12:34:56 +0200",
            "abc::def::fed",
            "chr7:55019017-55211628",
        ])
        .to_owned()
}

fn memory(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("segfault at 0x{} ip 0x{}", random.signs(HEX, 12), random.signs(HEX, 16)),
        1 => format!("{}: 48 89 e5 48 83 ec 10 c7 45 fc", random.signs(HEX, 8)),
        2 => format!("topic 0x{}", random.signs(HEX, 64)),
        _ => format!("#0 0x0000{} in main () at main.c:{}", random.signs(HEX, 12), random.number(3)),
    }
}

fn part(random: &mut Random) -> String {
    let (letters, digits) = (random.signs(CAPITALS, 3), random.digits(5));
    match random.below(5) {
        0 => format!("Part {letters}-{digits}-{} fits.", random.signs(CAPITALS, 1)),
        1 => format!(
            "flight {}{} at gate B{}",
            random.pick(&["LH", "BA", "AF", "UA"]),
            random.number(4),
            random.number(2)
        ),
        2 => format!(
            "license plate format {}-{} {}",
            random.pick(&["B", "M", "HH"]),
            random.signs(CAPITALS, 2),
            random.number(4)
        ),
        3 => format!("RFC {} and ISO {}-1:2017", random.number(4), random.number(4)),
        _ => format!("CVE-2025-{} scored 9.8", random.number(5)),
    }
}

fn file(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("IMG_20{}_{}.jpg", random.digits(6), random.digits(6)),
        1 => format!("/var/log/app/{}.log.gz", random.number(10)),
        2 => format!("report_{}-{}-{}.pdf", random.number(3), random.number(2), random.number(4)),
        _ => format!("C:\\Users\\Public\\scan{}.tif", random.number(9)),
    }
}

fn statistics(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!(
            "mean {}.{} sd {}.{} n={}",
            random.number(3),
            random.digits(4),
            random.number(2),
            random.digits(4),
            random.number(5)
        ),
        1 => format!("{} reads, {} writes, {} bytes", random.number(9), random.number(8), random.number(12)),
        _ => format!("p50={}us p99={}us max={}us", random.number(3), random.number(5), random.number(7)),
    }
}

fn public_key(random: &mut Random) -> String {
    let body = random.signs(BASE64, 64);
    match random.below(3) {
        0 => format!("-----BEGIN PUBLIC KEY-----\n{body}\n{body}\n-----END PUBLIC KEY-----"),
        1 => format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} deploy", random.signs(BASE64, 43)),
        _ => format!("-----BEGIN CERTIFICATE-----\nMIID{body}\n{body}\n-----END CERTIFICATE-----"),
    }
}

fn page(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("https://example.com/items/{}?page=2", random.number(10)),
        1 => format!("https://youtu.be/{}", random.signs(WORD, 11)),
        2 => format!("https://cdn.example.net/{}/app.{}.js", random.signs(HEX, 8), random.signs(HEX, 20)),
        _ => format!("https://docs.example.com/d/{}/edit#gid={}", random.signs(WORD, 44), random.number(9)),
    }
}

fn handle(random: &mut Random) -> String {
    random
        .pick(&[
            "thanks @anna and @ben_k!",
            "@pytest.fixture(scope=\"module\")",
            "@Override\npublic String toString() { return name; }",
            "user@host:~/src$ ls",
            "meet @ 10:30 @office",
            "x@y is the matrix product",
            "@media print",
            "logo@3x.png and logo@2x.webp",
            "follow us @example.official",
        ])
        .to_owned()
}

fn talk(random: &mut Random) -> String {
    random
        .pick(&[
            "I forgot my password, can you reset it?",
            "The password must have at least 12 characters and a digit.",
            "Your token expired yesterday, please log in again.",
            "The secret is to stir it slowly for ten minutes.",
            "What is the difference between an API key and a token?",
            "Password: required field",
            "The access token lifetime is 3600 seconds.",
            "My password is not working since Tuesday.",
            "The key is under the doormat.",
            "Passwort: bitte eingeben",
            "authentication: required, encryption: optional",
            "The key: patience.",
            "token budget: 8192 tokens per request",
            "passphrase protected, see README",
        ])
        .to_owned()
}

fn talk_of_numbers(random: &mut Random) -> String {
    random
        .pick(&[
            "Call me when you are back, any time after 18:00.",
            "The passport office opens at 9.",
            "Our phone plan has 5000 minutes for 29.99.",
            "My account was closed 3 years ago, on 12 May.",
            "The card has a limit of 2500.00 EUR.",
            "Born to run sold 10,000,000 copies since 1975.",
            "The license costs 1299 per seat and year.",
            "I was born in 1985 and moved in 2004.",
            "Tel Aviv has 460613 inhabitants.",
            "His mobile home is 12 m long and 3 m wide.",
            "bank holiday 2026: 3 April, 6 April",
            "account balance: 123456.78",
            "The driver was updated to 31.0.15.3623.",
            "NHS waiting lists grew to 7600000 in 2024.",
            "social distancing of 150 cm",
            "Medicare spends 1000000000 a year.",
            "mobile users: 123456789",
            "phone orders: 48213377",
        ])
        .to_owned()
}

fn prose(random: &mut Random) -> String {
    random
        .pick(&[
            "The quick brown fox jumps over the lazy dog, and nobody minds.",
            "Wir treffen uns am Montag um zehn Uhr im großen Saal.",
            "Le chat dort sur le canapé pendant que la pluie tombe.",
            "El informe se entregará la próxima semana.",
            "Summarize the following text in three sentences.",
            "Dzień dobry, proszę o przesłanie oferty.",
            "Scrivi una poesia sulla primavera in quattro versi.",
            "Please translate the sentence into Dutch and explain each word.",
        ])
        .to_owned()
}

fn table(random: &mut Random) -> String {
    let line = |random: &mut Random| {
        format!("{},{},{},{}\n", random.number(3), random.number(5), random.number(7), random.signs(DIGITS, 4))
    };
    format!("id,units,views,code\n{}{}{}", line(random), line(random), line(random))
}
