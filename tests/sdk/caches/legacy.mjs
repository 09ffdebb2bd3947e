// @google/generative-ai: GoogleAICacheManager, and a model made of a cache.
import fs from "node:fs";
import { GoogleGenerativeAI } from "@google/generative-ai";
import { GoogleAICacheManager, GoogleAIFileManager } from "@google/generative-ai/server";

const at = { baseUrl: process.env.BASE };
const caches = new GoogleAICacheManager("test", at);
fs.writeFileSync("a11.txt", "GOOD MORNING EAGLE. ".repeat(200));

const { file } = await new GoogleAIFileManager("test", at).uploadFile("a11.txt", { mimeType: "text/plain" });
const cache = await caches.create({
  model: "models/gemini-1.5-flash-001",
  contents: [{ role: "user", parts: [{ fileData: { fileUri: file.uri, mimeType: file.mimeType } }] }],
  systemInstruction: "You are an expert analyzing transcripts.", ttlSeconds: 300, displayName: "apollo",
});
const model = new GoogleGenerativeAI("test").getGenerativeModelFromCachedContent(cache, {}, at);
const answer = await model.generateContent("Say hello");
let streamed = "";
for await (const chunk of (await model.generateContentStream("count to five")).stream) streamed += chunk.text();
const got = await caches.get(cache.name);
const longer = await caches.update(cache.name, { cachedContent: { ttlSeconds: 7200 } });
const listed = (await caches.list({ pageSize: 100 })).cachedContents.map((one) => one.name);
await caches.delete(cache.name);
const gone = await caches.get(cache.name).then(() => null, (error) => error.status);
console.log(JSON.stringify({
  text: answer.response.text(), streamed, total: cache.usageMetadata.totalTokenCount,
  cached: answer.response.usageMetadata.cachedContentTokenCount, name: got.displayName, model: got.model,
  longer: (Date.parse(longer.expireTime) - Date.parse(got.expireTime)) / 1000, dated: true,
  listed: listed.includes(cache.name), gone,
}));
