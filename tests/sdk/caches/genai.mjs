// @google/genai: ai.caches, as its documentation uses it.
import fs from "node:fs";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });
fs.writeFileSync("a11.txt", "GOOD MORNING EAGLE. ".repeat(200));
const model = "gemini-1.5-flash-001";

const file = await ai.files.upload({ file: "a11.txt", config: { mimeType: "text/plain" } });
const cache = await ai.caches.create({
  model,
  config: {
    contents: [{ role: "user", parts: [{ fileData: { fileUri: file.uri, mimeType: file.mimeType } }] }],
    systemInstruction: "You are an expert analyzing transcripts.", ttl: "300s", displayName: "apollo",
  },
});
const answer = await ai.models.generateContent({ model, contents: "Say hello", config: { cachedContent: cache.name } });
let streamed = "";
for await (const chunk of await ai.models.generateContentStream(
  { model, contents: "count to five", config: { cachedContent: cache.name } })) streamed += chunk.text ?? "";
const got = await ai.caches.get({ name: cache.name });
const longer = await ai.caches.update({ name: cache.name, config: { ttl: "7200s" } });
const dated = await ai.caches.update({ name: cache.name, config: { expireTime: "2100-01-01T00:00:00Z" } });
const listed = [];
for await (const one of await ai.caches.list({ config: { pageSize: 1 } })) listed.push(one.name);
await ai.caches.delete({ name: cache.name });
const gone = await ai.caches.get({ name: cache.name }).then(() => null, (error) => error.status);
console.log(JSON.stringify({
  text: answer.text, streamed, total: cache.usageMetadata.totalTokenCount,
  cached: answer.usageMetadata.cachedContentTokenCount, name: got.displayName, model: got.model,
  longer: (Date.parse(longer.expireTime) - Date.parse(got.expireTime)) / 1000,
  dated: Date.parse(dated.expireTime) === Date.parse("2100-01-01T00:00:00Z"), listed: listed.includes(cache.name), gone,
}));
