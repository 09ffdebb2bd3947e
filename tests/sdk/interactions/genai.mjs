// @google/genai: ai.interactions, every method of it that a resource has.
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });
const { interactions } = ai;
const model = "gemini-3-flash-preview";
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const failing = (promise) => promise.then(() => null, (error) => error.constructor.name);
const all = async (stream) => {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
};
const tide = {
  type: "function", name: "get_tide", description: "Tide height",
  parameters: { type: "object", properties: { harbour: { type: "string" }, hour_of_day: { type: "integer" } } },
};

const plain = await interactions.create({ model, input: "Say hello", labels: { a: "b" } });
const got = await interactions.get(plain.id, { include_input: true });
const chained = await interactions.create({ model, input: "How many paws is that?", previous_interaction_id: plain.id });

const events = await all(await interactions.create({ model, input: "count to five", stream: true }));
const streamed = events.filter((e) => e.event_type === "step.delta" && e.delta.type === "text").map((e) => e.delta.text).join("");
const id = events.find((e) => e.event_type === "interaction.created").interaction.id;
const again = await all(await interactions.get(id, { stream: true, last_event_id: events[4].event_id }));
const resumed = JSON.stringify(again.map((e) => e.event_id)) === JSON.stringify(events.slice(5).map((e) => e.event_id));

const asked = await interactions.create({ model, input: "How high is the tide in Bergen at 9?", tools: [tide] });
const call = asked.steps.find((s) => s.type === "function_call");
const told = await interactions.create({
  model, tools: [tide], previous_interaction_id: asked.id,
  input: [{ type: "function_result", name: call.name, call_id: call.id, result: [{ type: "text", text: '{"cm": 134}' }] }],
});

const written = await all(await interactions.create({ model, input: "Tide in pieces", tools: [tide], stream: true }));
const pieces = written.filter((e) => e.index === 1 && e.delta?.type === "arguments_delta").map((e) => e.delta.arguments);

const slow = await interactions.create({ model, input: "slowly", background: true });
await wait(500);
const cancelled = await interactions.cancel(slow.id);
const background = await interactions.create({ model, input: "count to five", background: true });
let done;
while ((done = await interactions.get(background.id)).status === "in_progress") await wait(50);

await interactions.delete(plain.id);
console.log(JSON.stringify({
  text: plain.output_text, same: got.output_text === plain.output_text, input: got.input != null, chained: chained.output_text,
  streamed, resumed, asked: asked.status, arguments: call.arguments, told: told.output_text,
  slow: slow.status, cancelled: cancelled.status, partly: cancelled.output_text, done: done.output_text,
  gone: await failing(interactions.get(plain.id)), bad: await failing(interactions.create({ model, input: "" })),
  tokens: plain.usage.total_tokens, pieces: [pieces.length, JSON.parse(pieces.join(""))],
}));
