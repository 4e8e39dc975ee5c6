//! A text with labels, and the ways in which values stand in texts.

use pii_core::detect::Entity;

use crate::random::Random;
use crate::values::{Language, Value, Vocabulary, value};

/// How a value stands in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Style {
    /// In a sentence, its words before it.
    Prose,
    /// In a sentence, with no words that say what it is.
    Bare,
    /// In a sentence, its words behind it.
    Behind,
    /// In a talk.
    Chat,
    /// In JSON.
    Json,
    /// In YAML, XML or a table of Markdown.
    Markup,
    /// In a line of a log.
    Log,
    /// In the query of an address, percent-encoded.
    Query,
    /// In code or a file of variables.
    Code,
    /// In a table with commas, its words in the first line.
    Csv,
    /// In a sentence, with signs of Unicode in the place of digits, spaces and dashes.
    Disguised,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Prose,
        Self::Bare,
        Self::Behind,
        Self::Chat,
        Self::Json,
        Self::Markup,
        Self::Log,
        Self::Query,
        Self::Code,
        Self::Csv,
        Self::Disguised,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prose => "prose, words before",
            Self::Bare => "prose, no words",
            Self::Behind => "prose, words behind",
            Self::Chat => "chat",
            Self::Json => "JSON as text",
            Self::Markup => "YAML, XML, Markdown",
            Self::Log => "log",
            Self::Query => "query of an address",
            Self::Code => "code, variables",
            Self::Csv => "CSV",
            Self::Disguised => "Unicode look-alikes",
        }
    }
}

/// A value in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// Its kind.
    pub entity: Entity,
    /// How it stands there.
    pub style: Style,
}

/// A text, and all values in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// The values, in their order.
    pub labels: Vec<Label>,
    /// For texts without a value: what they are instead.
    pub negative: Option<&'static str>,
}

impl Text {
    /// A text without values.
    #[must_use]
    pub fn negative(kind: &'static str, text: String) -> Self {
        Self { text, labels: Vec::new(), negative: Some(kind) }
    }

    /// Adds one behind.
    pub fn append(&mut self, other: &Self) {
        let moved = self.text.len();
        self.text.push_str(&other.text);
        self.labels.extend(other.labels.iter().map(|label| Label {
            start: label.start + moved,
            end: label.end + moved,
            ..label.clone()
        }));
    }

    /// Adds text in which `{w}` stands for the words and `{v}` for the value, which `shape` may spell differently.
    fn fill(&mut self, template: &str, words: &str, part: &Part<'_>, shape: impl Fn(&str) -> String) {
        let mut rest = template;
        while let Some(at) = rest.find(['{']) {
            let (before, behind) = rest.split_at(at);
            self.text.push_str(before);
            rest = behind;
            if let Some(behind) = rest.strip_prefix("{w}") {
                self.text.push_str(words);
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix("{v}") {
                self.text.push_str(&shape(&part.value.before));
                let start = self.text.len();
                self.text.push_str(&shape(&part.value.text));
                self.labels.push(Label { start, end: self.text.len(), entity: part.entity, style: part.style });
                self.text.push_str(&shape(&part.value.after));
                rest = behind;
            } else {
                self.text.push('{');
                rest = &rest[1..];
            }
        }
        self.text.push_str(rest);
    }
}

/// What is put into a template.
struct Part<'a> {
    entity: Entity,
    style: Style,
    value: &'a Value,
}

/// Sentences with words and value, by language.
const NAMED: &[(Language, &[&str])] = &[
    (
        Language::En,
        &[
            "My {w} is {v}.",
            "{w}: {v}",
            "Please update the {w} to {v} and let me know when it is done.",
            "The customer gave {w} {v} when she called.",
            "For the form you need my {w} ({v}).",
            "Here's the {w} you asked for: {v}",
            "We have {w} {v} on file, is that right?",
            "I'm writing because the {w} \"{v}\" was rejected.",
            "{w} = {v}",
            "- {w}: {v}\n- status: open",
            "Set the {w} to {v}, then restart.",
        ],
    ),
    (
        Language::De,
        &[
            "Meine {w} ist {v}, danke.",
            "{w}: {v}",
            "Die {w} lautet {v}.",
            "Bitte {w} {v} eintragen.",
            "Mein {w}: {v}, bitte ändern.",
        ],
    ),
    (Language::Fr, &["Mon {w} est {v}.", "{w} : {v}", "Voici mon {w} : {v}, merci.", "Le {w} du client est {v}."]),
    (Language::Es, &["Mi {w} es {v}.", "{w}: {v}", "El {w} del cliente es {v}, gracias.", "Le envío mi {w}: {v}"]),
    (Language::It, &["Il mio {w} è {v}.", "{w}: {v}", "Ecco il {w}: {v}, grazie.", "Il {w} del cliente è {v}."]),
    (Language::Pt, &["Meu {w} é {v}.", "{w}: {v}", "O {w} do cliente é {v}, obrigado.", "Segue o {w}: {v}"]),
    (Language::Pl, &["Mój {w} to {v}.", "{w}: {v}", "Podaję {w}: {v}, dziękuję.", "{w} klienta: {v}."]),
    (Language::Nl, &["Mijn {w} is {v}.", "{w}: {v}", "Hier is mijn {w}: {v}, bedankt."]),
];

const BARE: &[&str] = &[
    "Please use {v} from now on.",
    "{v}",
    "I think it was {v}, but check it.",
    "Forwarded from the branch office: {v} (see the attachment).",
    "Bitte {v} verwenden.",
    "C'est {v}, merci.",
    "This is what I got back: {v}. Is it still valid?",
    "We found {v} in the old spreadsheet.",
    "It stopped working, see {v}",
    "Anna Schmidt, {v}, Bonn",
];

const BEHIND: &[&str] = &["{v} is my {w}.", "{v} ({w})", "I entered {v} as the {w}.", "Is {v} the right {w}?"];

const CHAT: &[&str] = &[
    "User: hi, I moved. My {w}: {v}\nAgent: Thanks, updated.",
    "Agent: What is your {w}?\nCustomer: {v}",
    "[10:42] Ben: what's the {w}?\n[10:43] Ana: {v}",
    "user: can you check my {w} {v} pls\nassistant: Sure, one moment.",
    "> {w}?\n{v}",
];

const CHAT_BARE: &[&str] =
    &["user: {v}\nassistant: Thanks!", "[10:42] Ben: {v}\n[10:43] Ana: got it", "hey, here you go {v} :)"];

const JSON: &[&str] = &[
    "{\"id\":\"c_10293\",\"{w}\":\"{v}\",\"active\":true}",
    "{\n  \"name\": \"Anna\",\n  \"{w}\": \"{v}\",\n  \"city\": \"Bonn\"\n}",
    "{\"user\": {\"{w}\": \"{v}\"}, \"page\": 2}",
    "[{\"{w}\": \"{v}\"}]",
];

const JSON_NUMBER: &[&str] = &["{\"id\":\"c_10293\",\"{w}\":{v},\"active\":true}", "{\"{w}\": {v}}"];

const MARKUP: &[&str] = &[
    "user:\n  name: Anna\n  {w}: {v}\n  active: true\n",
    "<customer><{w}>{v}</{w}></customer>",
    "| name | {w} |\n|---|---|\n| Anna | {v} |",
    "**{w}**: {v}",
    "<input name=\"{w}\" value=\"{v}\">",
];

const LOG: &[&str] = &[
    "2026-03-02T10:11:12.345Z INFO user.update {w}={v} status=200",
    "Mar  2 10:11:12 web-1 api[2331]: updated {w}={v} in 12ms",
    "[2026-03-02 10:11:12] WARN  validation failed: {w}: {v}",
    "level=error msg=\"lookup failed\" {w}=\"{v}\" attempt=3",
];

const QUERY: &[&str] = &[
    "GET /api/v1/search?page=2&{w}={v}&sort=asc HTTP/1.1",
    "https://shop.example.com/account?{w}={v}",
    "step=3&{w}={v}&submit=Save",
];

const CODE: &[&str] = &[
    "const {w} = \"{v}\";",
    "{w} = '{v}'  # TODO: remove",
    "export {w}=\"{v}\"",
    "{w}={v}",
    "let request = Request::new().set(\"{w}\", \"{v}\");",
    "client.update({ {w}: '{v}' })",
];

/// Sentences around, with numbers of all kinds in them and nothing that counts.
const FILLERS: &[&str] = &[
    "Thanks for getting back to me so quickly.",
    "The order 48213 was shipped on 3 March and arrived two days later.",
    "We deployed version 2.14.1 last night and saw no errors.",
    "It costs 1,299.00 EUR including VAT, which is more than we planned.",
    "The meeting is from 10:30 to 11:15 in room 204.",
    "About 35% of the 1200 tests were skipped.",
    "I tried it three times today, each time with the same result.",
    "Das Paket kam gestern an, vielen Dank.",
    "Nous avons reçu votre message du 12 mai.",
    "Gracias por su ayuda con el pedido.",
    "The response took 231 ms, which is fine.",
    "See chapter 7.3.2 for the details.",
    "Let me know if anything else is missing.",
    "The temperature was between -4 and 12 degrees.",
    "Our team has 12 people in 4 offices.",
];

/// A text with one value of a kind; more where it is a table.
#[must_use]
pub fn positive(entity: Entity, random: &mut Random) -> Text {
    let value = value(entity, random);
    let bare = !value.needs_words && random.percent(30);
    let style = if bare { Style::Bare } else { style(&value, random) };
    let mut text = Text::default();
    let around = matches!(style, Style::Prose | Style::Bare | Style::Behind | Style::Disguised);
    if around && random.percent(35) {
        text.text = format!("{} ", random.pick(FILLERS));
    }
    write(&mut text, &Part { entity, style, value: &value }, random);
    if around && random.percent(35) {
        text.text = format!("{} {}", text.text, random.pick(FILLERS));
    }
    text
}

fn style(value: &Value, random: &mut Random) -> Style {
    let simple =
        value.before.is_empty() && value.after.is_empty() && value.text.is_ascii() && !value.text.contains('\n');
    match random.below(100) {
        0..34 => Style::Prose,
        34..48 => Style::Chat,
        48..53 => Style::Behind,
        53..67 => Style::Json,
        67..73 => Style::Markup,
        73..81 => Style::Log,
        81..84 if simple => Style::Query,
        84..87 if simple => Style::Disguised,
        87..94 => Style::Code,
        94.. if simple => Style::Csv,
        _ => Style::Prose,
    }
}

fn write(text: &mut Text, part: &Part<'_>, random: &mut Random) {
    let vocabulary = part.value.vocabulary;
    let key = random.pick(vocabulary.keys);
    // such as an Italian's words for it in an English talk, where English has none in the list
    let english = || {
        let words = || vocabulary.words.iter();
        words().find(|(language, _)| *language == Language::En).or(words().next()).map_or(key, |(_, words)| words)
    };
    let plain = str::to_owned;
    let escaped = |value: &str| value.replace('\n', "\\n");
    match part.style {
        Style::Prose | Style::Disguised => {
            let (language, words) = random.pick(vocabulary.words);
            let templates = NAMED.iter().find(|(of, _)| *of == language).map_or(&[][..], |(_, templates)| templates);
            let kind = random.below(4);
            let shape =
                |value: &str| if part.style == Style::Disguised { disguised(value, kind) } else { value.to_owned() };
            text.fill(random.pick(templates), words, part, shape);
        }
        Style::Bare if random.percent(30) => text.fill(random.pick(CHAT_BARE), "", part, plain),
        Style::Bare => text.fill(random.pick(BARE), "", part, plain),
        Style::Behind => text.fill(random.pick(BEHIND), english(), part, plain),
        Style::Chat => text.fill(random.pick(CHAT), english(), part, plain),
        Style::Json => {
            let number = part.value.text.bytes().all(|byte| byte.is_ascii_digit()) && !part.value.text.starts_with('0');
            let templates = if number && random.percent(30) { JSON_NUMBER } else { JSON };
            text.fill(random.pick(templates), key, part, escaped);
        }
        Style::Markup => text.fill(random.pick(MARKUP), key, part, escaped),
        Style::Log => text.fill(random.pick(LOG), key, part, escaped),
        Style::Query => text.fill(random.pick(QUERY), key, part, percent_encoded),
        Style::Code => text.fill(random.pick(CODE), key, part, escaped),
        Style::Csv => table(text, part, key, random),
    }
}

/// A header and up to three lines.
fn table(text: &mut Text, part: &Part<'_>, key: &str, random: &mut Random) {
    let first = random.percent(50);
    text.text.push_str(&if first { format!("id,{key},city\n") } else { format!("id,name,{key}\n") });
    let lines = random.between(1, 3);
    let mut value = part.value.clone();
    for line in 0..lines {
        let quoted = if value.text.contains(',') { "\"{v}\"" } else { "{v}" };
        let id = random.between(10, 99);
        let template = if first { format!("{id},{quoted},Bonn\n") } else { format!("{id},Anna,{quoted}\n") };
        text.fill(&template, "", &Part { value: &value, ..*part }, str::to_owned);
        if line + 1 < lines {
            value = same_kind(part.entity, part.value.vocabulary, random);
        }
    }
}

/// Another value that is called the same.
fn same_kind(entity: Entity, vocabulary: &'static Vocabulary, random: &mut Random) -> Value {
    loop {
        let value = value(entity, random);
        if std::ptr::eq(value.vocabulary, vocabulary) && value.before.is_empty() && value.text.is_ascii() {
            return value;
        }
    }
}

/// What word processors, phones and people who want to get past a filter make of a value.
fn disguised(value: &str, kind: usize) -> String {
    let swap = |sign: char| match (kind, sign) {
        (0, ' ') => '\u{a0}',
        (1, '-') => '\u{2011}',
        (2, '0'..='9') => char::from_u32(0xff10 + u32::from(sign) - u32::from('0')).unwrap_or(sign),
        _ => sign,
    };
    let swapped: String = value.chars().map(swap).collect();
    if value.is_empty() || (kind < 3 && swapped != value) {
        return swapped;
    }
    let (head, tail) = value.split_at(value.len() / 2);
    format!("{head}\u{200b}{tail}")
}

fn percent_encoded(value: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(encoded).collect()
}

/// An object with several values, as a customer's record has them.
#[must_use]
pub fn record(entities: &[Entity], random: &mut Random) -> Text {
    let mut text = Text { text: format!("{{\n  \"id\": {},\n", random.number(5)), ..Text::default() };
    for entity in entities {
        let value = value(*entity, random);
        let key = random.pick(value.vocabulary.keys);
        let part = Part { entity: *entity, style: Style::Json, value: &value };
        text.fill("  \"{w}\": \"{v}\",\n", key, &part, |value| value.replace('\n', "\\n"));
    }
    text.text.push_str("  \"created\": \"2026-03-02T10:11:12Z\"\n}");
    text
}
