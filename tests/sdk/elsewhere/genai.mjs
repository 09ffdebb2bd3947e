// @google/genai: search in files, and an MCP server's tools, on both dialects; histories sent back.
import { GoogleGenAI } from "@google/genai";

console.warn = () => {};
const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });
const model = "gemini-3-flash-preview";

const store = await ai.fileSearchStores.create({ config: { displayName: "Library" } });
let operation = await ai.fileSearchStores.uploadToFileSearchStore({
  fileSearchStoreName: store.name, config: { displayName: "tides.txt" },
  file: new Blob(["The moon raises the tides of the sea. Harbours know it well."], { type: "text/plain" }),
});
while (!operation.done) {
  await new Promise((done) => setTimeout(done, 50));
  operation = await ai.operations.get({ operation });
}
const search = [{ fileSearch: { fileSearchStoreNames: [store.name], topK: 3 } }];
const found = await ai.models.generateContent({ model, contents: "What raises the tides?", config: { tools: search } });
const grounds = found.candidates[0].groundingMetadata;
const cited = await ai.interactions.create({
  model, input: "What raises the tides?", tools: [{ type: "file_search", file_search_store_names: [store.name] }],
});
const note = cited.steps.at(-1).content[0].annotations[0];

const input = "What is the sum of 40 and 2?";
const tools = [{ type: "mcp_server", name: "calc", url: process.env.MCP, allowed_tools: [{ tools: ["add"] }] }];
const summed = await ai.interactions.create({ model, input, tools });
const [call, result] = summed.steps.slice(1, 3);
const text = (t) => ({ type: "user_input", content: [{ type: "text", text: t }] });
const again = await ai.interactions.create({
  model, input: [text(input), ...summed.steps, text("And the sum of 40 and 2?")], tools, store: false,
});
const deltas = [];
for await (const e of await ai.interactions.create({ model, input, tools, stream: true }))
  if (e.event_type === "step.delta" && e.delta.type !== "text") deltas.push(e.delta.type);
const plain = await ai.models.generateContent({
  model, contents: input,
  config: { tools: [{ mcpServers: [{ name: "calc", streamableHttpTransport: { url: process.env.MCP, timeout: "20s" } }] }] },
});
console.log(JSON.stringify({
  found: found.candidates[0].content.parts.at(-1).text, title: grounds.groundingChunks[0].retrievedContext.title,
  segment: grounds.groundingSupports[0].segment.text, note: [note.type, note.file_name, note.source === store.name],
  call: [call.type, call.name, call.server_name, call.arguments], result: [result.result, result.call_id === call.id],
  said: summed.output_text, again: again.output_text, deltas, plain: plain.text,
}));
