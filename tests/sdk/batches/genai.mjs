// @google/genai: ai.batches, as its documentation uses it.
import fs from "node:fs";
import { GoogleGenAI } from "@google/genai";

console.warn = () => {}; // embeddings are experimental, it says
const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });

async function wait(job) {
  while (!["JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"].includes(job.state)) {
    await new Promise((done) => setTimeout(done, 50));
    job = await ai.batches.get({ name: job.name });
  }
  return job;
}

async function download(name) {
  await ai.files.download({ file: name, downloadPath: "got.jsonl" });
  await new Promise((done) => setTimeout(done, 300)); // the client does not wait for its own writing
  return fs.readFileSync("got.jsonl", "utf8").trim().split("\n").map(JSON.parse);
}

const ask = (text) => [{ role: "user", parts: [{ text }] }];
let inline = await ai.batches.create({
  model: "gemini-2.5-flash",
  src: [
    { contents: ask("Say hello"), metadata: { key: "k1" }, config: { temperature: 0.5 } },
    { contents: ask("Say hello"), model: "gemini-2.5-flash" },
    { contents: ask("x"), config: { stopSequences: [""] } },
  ],
  config: { displayName: "inline" },
});
const created = inline.state;
inline = await wait(inline);

fs.writeFileSync("requests.jsonl", [0, 1, 2].map((i) =>
  JSON.stringify({ key: `request-${i}`, request: { contents: ask("Say hello") } })).join("\n"));
const uploaded = await ai.files.upload({ file: "requests.jsonl", config: { mimeType: "application/jsonl" } });
const byFile = await wait(await ai.batches.create({ model: "gemini-2.5-flash", src: uploaded.name }));
const lines = await download(byFile.dest.fileName);
const generated = await ai.files.get({ name: byFile.dest.fileName });

const vectors = await wait(await ai.batches.createEmbeddings({
  model: "gemini-embedding-001",
  src: { inlinedRequests: { contents: ["cat", "dog"], config: { outputDimensionality: 8 } } },
}));
fs.writeFileSync("texts.jsonl", JSON.stringify({
  key: "t", request: { output_dimensionality: 8, content: { parts: [{ text: "cat" }] } } }));
const texts = await ai.files.upload({ file: "texts.jsonl", config: { mimeType: "application/jsonl" } });
const vectorsFile = await wait(await ai.batches.createEmbeddings({
  model: "gemini-embedding-001", src: { fileName: texts.name } }));
const vectorLines = await download(vectorsFile.dest.fileName);

let cancelled = await ai.batches.create({ model: "gemini-2.5-flash", src: Array(500).fill({ contents: ask("for ever") }) });
await ai.batches.cancel({ name: cancelled.name });
cancelled = await wait(cancelled);
const listed = [];
for await (const job of await ai.batches.list({ config: { pageSize: 2 } })) listed.push(job.name);
await ai.batches.delete({ name: inline.name });
const gone = await ai.batches.get({ name: inline.name }).then(() => null, (error) => error.status);
const answers = inline.dest.inlinedResponses;
const text = (answer) => answer.candidates[0].content.parts[0].text;
console.log(JSON.stringify({
  created, state: inline.state, name: inline.displayName, model: inline.model,
  texts: answers.slice(0, 2).map((a) => text(a.response)), metadata: answers[0].metadata,
  error: answers[2].error.code, ended: inline.endTime >= inline.createTime,
  lines: lines.map((line) => [line.key, text(line.response)]), downloadable: generated.downloadUri !== undefined,
  vectors: vectors.dest.inlinedEmbedContentResponses.map((a) => a.response.embedding.values.length),
  vector_line: vectorLines[0].response.embedding.values.length, cancelled: cancelled.state, gone,
  listed: [inline, byFile, vectors, vectorsFile, cancelled].every((job) => listed.includes(job.name)),
}));
