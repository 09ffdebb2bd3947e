// @google/genai: ai.files, as its documentation uses it; a file of two pieces (8 MiB each).
import fs from "node:fs";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });
fs.writeFileSync("note.txt", "Say hello");
fs.writeFileSync("large.bin", "0123456789".repeat(900_000));

let note = await ai.files.upload({ file: "note.txt", config: { mimeType: "text/plain", displayName: "my note" } });
while (note.state === "PROCESSING") {
  await new Promise((done) => setTimeout(done, 100));
  note = await ai.files.get({ name: note.name });
}
const large = await ai.files.upload({ file: "large.bin", config: { mimeType: "application/octet-stream" } });
const blob = await ai.files.upload({ file: new Blob(["hello"], { type: "text/plain" }) });
const answer = await ai.models.generateContent({
  model: "gemini-2.0-flash",
  contents: [{ role: "user", parts: [{ fileData: { fileUri: note.uri, mimeType: note.mimeType } }] }],
});
const listed = [];
for await (const file of await ai.files.list({ config: { pageSize: 2 } })) listed.push(file.name);
await ai.files.download({ file: blob.name, downloadPath: "got.txt" });
await new Promise((done) => setTimeout(done, 300)); // the client does not wait for its own writing
await ai.files.delete({ name: blob.name });
const gone = await ai.files.get({ name: blob.name }).then(() => null, (error) => error.status);
console.log(JSON.stringify({
  state: note.state, name: note.displayName, mime: note.mimeType, size: Number(large.sizeBytes), text: answer.text, gone,
  got: fs.readFileSync("got.txt", "utf8"), listed: [note, large, blob].every((file) => listed.includes(file.name)),
}));
