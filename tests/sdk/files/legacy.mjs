// @google/generative-ai: GoogleAIFileManager, which uploads in one multipart request.
import fs from "node:fs";
import { GoogleGenerativeAI } from "@google/generative-ai";
import { FileState, GoogleAIFileManager } from "@google/generative-ai/server";

const at = { baseUrl: process.env.BASE };
const manager = new GoogleAIFileManager("test", at);
fs.writeFileSync("note.txt", "Say hello");
fs.writeFileSync("large.bin", "0123456789".repeat(900_000));

let note = (await manager.uploadFile("note.txt", { mimeType: "text/plain", displayName: "my note" })).file;
while (note.state === FileState.PROCESSING) {
  await new Promise((done) => setTimeout(done, 100));
  note = await manager.getFile(note.name);
}
const large = (await manager.uploadFile("large.bin", { mimeType: "application/octet-stream" })).file;
const model = new GoogleGenerativeAI("test").getGenerativeModel({ model: "gemini-1.5-flash" }, at);
const answer = await model.generateContent([{ fileData: { fileUri: note.uri, mimeType: note.mimeType } }]);
const listed = (await manager.listFiles({ pageSize: 100 })).files.map((file) => file.name);
await manager.deleteFile(large.name);
const gone = await manager.getFile(large.name).then(() => null, (error) => error.status);
console.log(JSON.stringify({
  state: note.state, name: note.displayName, mime: note.mimeType, size: Number(large.sizeBytes),
  text: answer.response.text(), gone, listed: [note, large].every((file) => listed.includes(file.name)),
}));
