// @google/genai: code execution, whole, streamed, in a chat, as an interaction.
import { GoogleGenAI } from "@google/genai";

console.warn = () => {}; // it warns of parts that are not text
const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });
const asked = "What is the sum of the first 50 prime numbers? Use code.";
const config = { tools: [{ codeExecution: {} }] };
const model = "gemini-2.0-flash";

const whole = await ai.models.generateContent({ model, contents: asked, config });
const parts = whole.candidates[0].content.parts;
let streamed = "";
for await (const chunk of await ai.models.generateContentStream({ model, contents: asked, config }))
  for (const part of chunk.candidates[0].content.parts) streamed += part.text ?? "";
const chat = ai.chats.create({ model, config });
const first = await chat.sendMessage({ message: asked });
const second = await chat.sendMessage({ message: "Say hello" });
const { interactions } = ai;
const tools = [{ type: "code_execution" }];
const made = await interactions.create({ model: "gemini-3-flash-preview", input: asked, tools });
const [call, result] = made.steps.slice(1, 3);
const chained = await interactions.create({ model: "gemini-3-flash-preview", input: "Say hello", previous_interaction_id: made.id });
const deltas = [];
for await (const e of await interactions.create({ model: "gemini-3-flash-preview", input: asked, tools, stream: true }))
  if (e.event_type === "step.delta") deltas.push(e.delta.type);
console.log(JSON.stringify({
  code: whole.executableCode.includes("print("), output: whole.codeExecutionResult, outcome: parts[2].codeExecutionResult.outcome,
  language: parts[1].executableCode.language, text: parts.at(-1).text, streamed,
  first: first.candidates[0].content.parts.at(-1).text, second: second.text,
  call: call.arguments.language, result: [result.result, result.is_error, result.call_id === call.id],
  said: made.output_text, chained: chained.output_text, deltas,
}));
