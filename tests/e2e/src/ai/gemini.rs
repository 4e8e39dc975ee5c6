//! Gemini's generateContent, streamGenerateContent (server-sent events, or one JSON array) and embedContent. Shapes:
//! <https://ai.google.dev/api/generate-content>.

use serde_json::Value;

use super::{Asked, Made, Told, cut, fill, names, quote, text_of};

pub(super) fn told(body: &Value) -> Told {
    let contents = match &body["contents"] {
        Value::Array(list) => list.last().unwrap_or(&Value::Null),
        // some clients send the only one without a list
        one => one,
    };
    let parts = &contents["parts"];
    let result = parts.as_array().and_then(|parts| parts.iter().rfind(|part| part["functionResponse"].is_object()));
    let tools = body["tools"].as_array().into_iter().flatten();
    match result {
        Some(part) => Told { text: text_of(&part["functionResponse"]["response"]["result"]), tools: Vec::new() },
        None => Told {
            text: text_of(parts),
            tools: tools.flat_map(|tool| names(&tool["functionDeclarations"], "/name")).collect(),
        },
    }
}

pub(super) fn answer(mut asked: Asked, model: &str, method: &str, query: &str) -> Made {
    asked.model = model.to_owned();
    asked.stream = method == "streamGenerateContent";
    if let Some(status) = asked.error() {
        let body = error(&asked, status);
        let body = if asked.stream && !query.contains("alt=sse") { format!("[{body}\n]") } else { body };
        return json(body).status(status);
    }
    match method {
        "generateContent" => json(format!("{}\n", whole(&asked))),
        "streamGenerateContent" if query.contains("alt=sse") => {
            // a document is one line there
            let line = |chunk: &String| chunk.lines().map(str::trim_start).collect::<String>();
            let event = |chunk: &String| format!("data: {}\r\n\r\n", line(chunk));
            Made { content_type: "text/event-stream", ..Made::events(chunks(&asked).iter().map(event).collect()) }
        }
        "streamGenerateContent" => {
            let mut pieces: Vec<_> = chunks(&asked);
            for (at, piece) in pieces.iter_mut().enumerate() {
                piece.insert_str(0, if at == 0 { "[" } else { ",\r\n" });
            }
            pieces.push("]".into());
            Made { pieces, ..json(String::new()) }
        }
        "embedContent" => {
            json("{\n  \"embedding\": {\n    \"values\": [\n      0.5,\n      -0.25\n    ]\n  }\n}\n".into())
        }
        "batchEmbedContents" => {
            let one = "{\n      \"values\": [\n        0.5,\n        -0.25\n      ]\n    }";
            let count = asked.body["requests"].as_array().map_or(0, Vec::len);
            json(format!("{{\n  \"embeddings\": [\n    {}\n  ]\n}}\n", vec![one; count].join(",\n    ")))
        }
        _ => json(error(&asked, 404)).status(404),
    }
}

fn json(body: String) -> Made {
    Made { content_type: "application/json; charset=UTF-8", ..Made::json(body) }
}

fn error(asked: &Asked, status: u16) -> String {
    let name = match status {
        401 => "UNAUTHENTICATED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        _ => "INVALID_ARGUMENT",
    };
    let shape =
        "{\n  \"error\": {\n    \"code\": $code,\n    \"message\": $message,\n    \"status\": \"$name\"\n  }\n}\n";
    let values = [("code", status.to_string()), ("message", escaped(&asked.complaint(status))), ("name", name.into())];
    fill(shape, &values)
}

/// A text as JSON in the API's own manner: what HTML could take for a tag or a quote is escaped.
fn escaped(text: &str) -> String {
    let escape = |json: String, (plain, escape): (&str, &str)| json.replace(plain, escape);
    [("<", r"\u003c"), (">", r"\u003e"), ("&", r"\u0026"), ("'", r"\u0027")].into_iter().fold(quote(text), escape)
}

fn text_part(text: &str) -> String {
    fill("{\n            \"text\": $text\n          }", &[("text", escaped(text))])
}

/// The calls, whole: they are never cut.
fn call_parts(asked: &Asked) -> Vec<String> {
    let one = |call: &super::Call| {
        let shape = "{\n            \"functionCall\": {\n              \"name\": $name,\n              \"args\": $args\n            },\n            \"thoughtSignature\": \"CiQB0e2Kb4111111111111111zX9wRv7Lm3QpTn5Ys8=\"\n          }";
        fill(shape, &[("name", quote(&call.name)), ("args", call.arguments.clone())])
    };
    asked.calls.iter().map(one).collect()
}

fn document(asked: &Asked, parts: &[String], is_last: bool) -> String {
    let shape = r#"{
  "candidates": [
    {
      "content": {
        "parts": [
          $parts
        ],
        "role": "model"
      },$reason
      "index": 0
    }
  ],
  "usageMetadata": {
    "promptTokenCount": 10,
    "candidatesTokenCount": 7,
    "totalTokenCount": 17,
    "promptTokensDetails": [
      {
        "modality": "TEXT",
        "tokenCount": 10
      }
    ]
  },
  "modelVersion": $model,
  "responseId": "p3AmaZ7kH4qLvdIP0uWx8Ao"
}"#;
    let values = [
        ("parts", parts.join(",\n          ")),
        ("reason", if is_last { "\n      \"finishReason\": \"STOP\"," } else { "" }.into()),
        ("model", quote(&asked.model)),
    ];
    fill(shape, &values)
}

fn whole(asked: &Asked) -> String {
    let calls = call_parts(asked);
    document(asked, &if calls.is_empty() { vec![text_part(&asked.text)] } else { calls }, true)
}

/// The documents of a stream.
fn chunks(asked: &Asked) -> Vec<String> {
    let calls = call_parts(asked);
    let parts: Vec<Vec<String>> = match calls.is_empty() {
        true => cut(&asked.text, asked.delta).iter().map(|piece| vec![text_part(piece)]).collect(),
        false => vec![vec![text_part("")], calls],
    };
    let last = parts.len().saturating_sub(1);
    let mut documents: Vec<_> =
        parts.iter().enumerate().map(|(at, parts)| document(asked, parts, at == last)).collect();
    if asked.fails_midstream() {
        documents.truncate(1);
        documents.push(error(asked, 503));
    }
    documents
}
