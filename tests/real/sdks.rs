//! The vendors' own SDKs read a translated stream as they read the same answer in their own dialect.
use super::thinking::Signed;
use inspan::{
    dialect::{
        Dialect, endpoint,
        translate::{self, Facts, Stream},
    },
    rehearsal::{Rehearsal, Tally, reply},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

const ALL: [Dialect; 4] = [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini];

const PACKAGES: [&str; 3] = ["@anthropic-ai/sdk", "openai", "@google/genai"];

/// What is answered to: words alone, and words with a call.
const PROMPTS: [(&str, &str); 2] = [
    ("words", "[[say: Grüße aus dem Turm 🔔, \\\"quoted\\\" and long enough to come in several pieces.]]"),
    ("call", "[[run: printf 'bell \\\"one\\\"\\n' >> bells.txt]]"),
];

/// Asks as `node SCRIPT BASE`; the answers at `BASE/DIALECT/NAME` are read by that dialect's SDK.
const SCRIPT: &str = r#"
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { GoogleGenAI } from '@google/genai';
const [base, ...names] = process.argv.slice(2);
const ask = [{ role: 'user', content: 'x' }];
const sdks = {
  async messages(at) {
    const client = new Anthropic({ apiKey: 'x', baseURL: at, maxRetries: 0 });
    const answer = await client.messages.stream({ model: 'm', max_tokens: 9, messages: ask }).finalMessage();
    const of = (kind) => answer.content.filter((block) => block.type === kind);
    return {
      text: of('text').map((block) => block.text).join(''),
      thought: of('thinking').map((block) => block.thinking).join(''),
      calls: of('tool_use').map((block) => [block.name, block.input]),
      stop: answer.stop_reason, tokens: answer.usage.output_tokens,
    };
  },
  async chat(at) {
    const client = new OpenAI({ apiKey: 'x', baseURL: at + '/v1', maxRetries: 0 });
    const stream = client.chat.completions.stream({ model: 'm', messages: ask, stream_options: { include_usage: true } });
    const answer = await stream.finalChatCompletion();
    const { message, finish_reason } = answer.choices[0];
    const calls = (message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
    return { text: message.content ?? '', calls, stop: finish_reason, tokens: answer.usage.completion_tokens };
  },
  async responses(at) {
    const client = new OpenAI({ apiKey: 'x', baseURL: at + '/v1', maxRetries: 0 });
    const answer = await client.responses.stream({ model: 'm', input: 'x' }).finalResponse();
    const of = (kind) => answer.output.filter((item) => item.type === kind);
    return {
      text: answer.output_text,
      thought: of('reasoning').flatMap((item) => item.summary.map((part) => part.text)).join(''),
      calls: of('function_call').map((item) => [item.name, JSON.parse(item.arguments)]),
      stop: answer.status, tokens: answer.usage.output_tokens,
    };
  },
  async gemini(at) {
    const client = new GoogleGenAI({ apiKey: 'x', httpOptions: { baseUrl: at } });
    const said = { text: '', thought: '', calls: [] };
    for await (const chunk of await client.models.generateContentStream({ model: 'm', contents: 'x' })) {
      for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
        if (part.functionCall) said.calls.push([part.functionCall.name, part.functionCall.args]);
        else said[part.thought ? 'thought' : 'text'] += part.text ?? '';
      }
      said.stop = chunk.candidates?.[0]?.finishReason ?? said.stop;
      said.tokens = chunk.usageMetadata?.candidatesTokenCount ?? said.tokens;
    }
    return said;
  },
};
for (const name of names) {
  const dialect = name.split('/')[0];
  const read = await sdks[dialect](base + '/' + name).catch((error) => ({ failed: String(error) }));
  console.log(JSON.stringify([name, read]));
}
"#;

#[test]
fn the_sdks_read_a_translated_stream_as_their_own() {
    let mut streams = BTreeMap::new();
    for upstream in ALL {
        for (case, prompt) in PROMPTS {
            let native = native(upstream, prompt);
            for client in ALL {
                let told = if client == upstream {
                    native.clone()
                } else {
                    translated(client, upstream, prompt, &native)
                };
                streams.insert(format!("{client}/{case}/{upstream}"), told);
            }
        }
    }
    let names: Vec<String> = streams.keys().cloned().collect();
    let base = serve(streams);
    let scratch = tempfile::tempdir().unwrap();
    symlink(packages().join("node_modules"), scratch.path().join("node_modules")).unwrap();
    let script = scratch.path().join("read.mjs");
    fs::write(&script, SCRIPT).unwrap();
    let output =
        Command::new("node").arg(&script).arg(&base).args(&names).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let read: BTreeMap<String, Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), names.len());
    for client in ALL {
        for (case, _) in PROMPTS {
            let of = |upstream: Dialect| &read[&format!("{client}/{case}/{upstream}")];
            let own = of(client);
            let calls = own["calls"].as_array().unwrap_or_else(|| panic!("{client}: {own}")).len();
            assert_eq!(calls, usize::from(case == "call"), "{own}");
            assert!(own["text"].as_str().is_some_and(|text| !text.is_empty()), "{own}");
            assert!(own["thought"].as_str().is_none_or(|thought| !thought.is_empty()), "{own}");
            for upstream in ALL {
                assert_eq!(of(upstream), own, "{case}: {client} told what {upstream} said");
            }
        }
    }
}

fn facts(upstream: Dialect) -> Facts<'static> {
    let (provider, wire_model) = match upstream {
        Dialect::Messages => ("anthropic", "claude-opus-4-6"),
        Dialect::Chat => ("openrouter", "moonshotai/kimi-k2.5"),
        Dialect::Responses => ("openai", "gpt-5.4"),
        Dialect::Gemini => ("google", "gemini-3.1-pro-preview"),
    };
    Facts {
        provider,
        wire_model,
        asked_model: "m",
        stream: true,
        max_output: None,
        cache_key: None,
        now: 1_700_000_000,
        nonce: "n0nce",
    }
}

/// A request of this dialect for a stream, with a shell to call.
fn request(dialect: Dialect, prompt: &str) -> Value {
    let messages = json!({
        "model": "m", "max_tokens": 100, "stream": true, "messages": [{"role": "user", "content": prompt}],
        "tools": [{"name": "Bash", "description": "Runs a command.", "input_schema": {
            "type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"],
        }}],
    });
    if dialect == Dialect::Messages {
        return messages;
    }
    let mut body = translate::request(Dialect::Messages, dialect, &messages, &facts(dialect)).unwrap().body;
    if dialect == Dialect::Chat {
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

/// The scripted answer in this dialect, with a thought before it.
fn native(dialect: Dialect, prompt: &str) -> String {
    let path = match dialect {
        Dialect::Messages => "/v1/messages",
        Dialect::Chat => "/v1/chat/completions",
        Dialect::Responses => "/v1/responses",
        Dialect::Gemini => "/v1beta/models/m:streamGenerateContent?alt=sse",
    };
    let (endpoint, body) = (endpoint("POST", path).unwrap(), request(dialect, prompt));
    let asked =
        Rehearsal { dialect, endpoint: &endpoint, body: &body, model: "m", stream: true, side: false };
    let answer = reply(&asked, &mut Tally::default());
    let bytes: Vec<u8> = answer.chunks.into_iter().flat_map(|chunk| chunk.bytes).collect();
    Signed::default().think(dialect, &String::from_utf8(bytes).unwrap())
}

fn translated(client: Dialect, upstream: Dialect, prompt: &str, native: &str) -> String {
    let asked = request(client, prompt);
    let session = translate::request(client, upstream, &asked, &facts(upstream)).unwrap().session;
    let (mut stream, mut told) = (Stream::new(session), Vec::new());
    // In pieces that end anywhere.
    native.as_bytes().chunks(37).for_each(|piece| stream.feed(piece, &mut told));
    stream.finish(false, &mut told);
    String::from_utf8(told).unwrap()
}

/// Answers each request with the stream that its path begins with. Its threads end with the process.
fn serve(streams: BTreeMap<String, String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let streams = Arc::new(streams);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let streams = Arc::clone(&streams);
            thread::spawn(move || drop(answer(&stream, &streams)));
        }
    });
    base
}

fn answer(stream: &TcpStream, streams: &BTreeMap<String, String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut path, mut length) = (String::new(), 0);
    for line in reader.by_ref().lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        match line.strip_prefix("content-length:") {
            Some(value) => length = value.trim().parse().unwrap_or(0),
            None if path.is_empty() => path = line.split(' ').nth(1).unwrap_or_default().to_owned(),
            None => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let named = |name: &&String| path.starts_with(&format!("/{name}/"));
    let body = streams.keys().find(named).map_or("", |name| streams[name].as_str());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let mut out = stream;
    out.write_all(head.as_bytes())?;
    out.write_all(body.as_bytes())
}

/// Where the SDKs are, fetched once; npm's settings are those of who runs the tests.
fn packages() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdks");
    fs::create_dir_all(&root).unwrap();
    // Another run of the tests may be at it.
    let lock = File::create(root.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    if PACKAGES.iter().all(|package| root.join("node_modules").join(package).exists()) {
        return root;
    }
    let flags = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"];
    let mut npm = Command::new("npm");
    npm.args(flags).arg(&root).args(PACKAGES).current_dir(&root).stdin(Stdio::null());
    let output = npm.output().expect("npm is on PATH");
    assert!(output.status.success(), "npm: {}", String::from_utf8_lossy(&output.stderr));
    root
}
