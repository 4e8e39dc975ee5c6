//! OpenAI's Responses API. Shapes: <https://platform.openai.com/docs/api-reference/responses> and `…/responses-streaming`.

use serde_json::Value;

use super::{Asked, Made, Told, cut, fill, names, openai, quote, text_of};

const MESSAGE_ID: &str = "msg_68f1c27be0a88193bd5500d7e94a2c61";

pub(super) fn told(body: &Value) -> Told {
    let input = &body["input"];
    let last = input.as_array().and_then(|items| items.last()).unwrap_or(&Value::Null);
    let is_result = last["type"] == "function_call_output";
    let text = match (input, is_result) {
        (Value::String(text), _) => text.clone(),
        (_, true) => text_of(&last["output"]),
        (_, false) => text_of(&last["content"]),
    };
    Told { text, tools: if is_result { Vec::new() } else { names(&body["tools"], "/name") } }
}

pub(super) fn answer(asked: &Asked) -> Made {
    match asked.error() {
        Some(status) => openai::error(asked, status),
        None if asked.stream => Made::events(events(asked)).header("x-request-id", "req_0b7d55a1c2e94f3c8e6f"),
        None => {
            let output: Vec<_> = items(asked).iter().map(Item::whole).collect();
            Made::json(response(asked, "completed", &output.join(",")))
                .header("x-request-id", "req_0b7d55a1c2e94f3c8e6f")
        }
    }
}

/// One thing in `output`.
enum Item {
    Message { text: String },
    Call { at: usize, name: String, arguments: String },
}

impl Item {
    fn id(&self) -> String {
        match self {
            Self::Message { .. } => MESSAGE_ID.into(),
            Self::Call { at, .. } => format!("fc_68f1c27c9b048193a7d{at}00d7e94a2c61"),
        }
    }

    fn render(&self, status: &str, is_empty: bool) -> String {
        let id = ("id", self.id());
        let status = ("status", status.into());
        match self {
            Self::Message { text } => {
                let content = if is_empty { String::new() } else { part(text) };
                let shape =
                    r#"{"id":"$id","type":"message","status":"$status","content":[$content],"role":"assistant"}"#;
                fill(shape, &[id, status, ("content", content)])
            }
            Self::Call { at, name, arguments } => {
                let arguments = if is_empty { "" } else { arguments };
                let shape = r#"{"id":"$id","type":"function_call","status":"$status","arguments":$arguments,"call_id":"call_$at","name":$name}"#;
                let call = format!("9Tq{at}Lm3XcVbN5rYw");
                fill(shape, &[id, status, ("arguments", quote(arguments)), ("at", call), ("name", quote(name))])
            }
        }
    }

    fn begun(&self) -> String {
        self.render("in_progress", true)
    }

    fn whole(&self) -> String {
        self.render("completed", false)
    }
}

fn part(text: &str) -> String {
    fill(r#"{"type":"output_text","annotations":[],"logprobs":[],"text":$text}"#, &[("text", quote(text))])
}

fn items(asked: &Asked) -> Vec<Item> {
    if asked.calls.is_empty() {
        return vec![Item::Message { text: asked.text.clone() }];
    }
    let call = |(at, call): (usize, &super::Call)| Item::Call {
        at,
        name: call.name.clone(),
        arguments: call.arguments.clone(),
    };
    asked.calls.iter().enumerate().map(call).collect()
}

fn response(asked: &Asked, status: &str, output: &str) -> String {
    let shape = r#"{"id":"resp_68f1c27a4d988193a10d00d7e94a2c61","object":"response","created_at":1764115200,"status":"$status","background":false,"error":null,"incomplete_details":null,"instructions":$instructions,"max_output_tokens":null,"max_tool_calls":null,"model":$model,"output":[$output],"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":$tools,"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":$usage,"user":null,"metadata":{}}"#;
    let usage = r#"{"input_tokens":37,"input_tokens_details":{"cached_tokens":0},"output_tokens":11,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":48}"#;
    // what was asked comes back, with whatever is in it
    let tools = if asked.body["tools"].is_array() { asked.body["tools"].to_string() } else { "[]".into() };
    let values = [
        ("status", status.into()),
        ("instructions", asked.body["instructions"].to_string()),
        ("model", quote(&asked.model)),
        ("output", output.into()),
        ("tools", tools),
        ("usage", if status == "completed" { usage } else { "null" }.into()),
    ];
    fill(shape, &values)
}

/// The events, each with its number.
fn events(asked: &Asked) -> Vec<String> {
    let mut events = Events(Vec::new());
    let begun = response(asked, "in_progress", "");
    events.push("response.created", &format!(r#""response":{begun}"#));
    events.push("response.in_progress", &format!(r#""response":{begun}"#));
    let items = items(asked);
    for (at, item) in items.iter().enumerate() {
        events.push("response.output_item.added", &format!(r#""output_index":{at},"item":{}"#, item.begun()));
        events.item(at, item, asked);
        if asked.fails_midstream() {
            events.0.truncate(5);
            events.push("error", r#""code":"server_error","message":"The server had an error.","param":null"#);
            return events.0;
        }
        events.push("response.output_item.done", &format!(r#""output_index":{at},"item":{}"#, item.whole()));
    }
    let output: Vec<_> = items.iter().map(Item::whole).collect();
    let whole = response(asked, "completed", &output.join(","));
    events.push("response.completed", &format!(r#""response":{whole}"#));
    events.0
}

struct Events(Vec<String>);

impl Events {
    fn push(&mut self, kind: &str, fields: &str) {
        let number = self.0.len();
        self.0.push(format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},{fields}}}\n\n"));
    }

    fn item(&mut self, at: usize, item: &Item, asked: &Asked) {
        let place = format!(r#""item_id":"{}","output_index":{at}"#, item.id());
        match item {
            Item::Message { text } => {
                let place = format!(r#"{place},"content_index":0"#);
                self.push("response.content_part.added", &format!(r#"{place},"part":{}"#, part("")));
                for piece in cut(text, asked.delta) {
                    let delta = quote(&piece);
                    let fields = format!(r#"{place},"delta":{delta},"logprobs":[],"obfuscation":"k3Vd81""#);
                    self.push("response.output_text.delta", &fields);
                }
                self.push("response.output_text.done", &format!(r#"{place},"text":{},"logprobs":[]"#, quote(text)));
                self.push("response.content_part.done", &format!(r#"{place},"part":{}"#, part(text)));
            }
            Item::Call { name, arguments, .. } => {
                for piece in cut(arguments, asked.delta) {
                    let fields = format!(r#"{place},"delta":{},"obfuscation":"Zp0""#, quote(&piece));
                    self.push("response.function_call_arguments.delta", &fields);
                }
                let fields = format!(r#"{place},"name":{},"arguments":{}"#, quote(name), quote(arguments));
                self.push("response.function_call_arguments.done", &fields);
            }
        }
    }
}
