// This will only work for SDK newer than 2.0.0
import { GoogleGenAI } from "@google/genai";
const ai = new GoogleGenAI({});
async function main() {
  const interaction1 = await ai.interactions.create({
      model: "gemini-3-flash-preview",
      input: "I have 2 dogs in my house.",
    });
  console.log("Response 1:", interaction1.steps.at(-1).content[0].text);
  const stream = await ai.interactions.create({
      model: "gemini-3-flash-preview",
      input: "How many paws are in my house?",
      previous_interaction_id: interaction1.id,
      stream: true,
    });
  for await (const event of stream) {
    if (event.event_type === "step.delta") {
      if (event.delta.type === "text") {
        process.stdout.write(event.delta.text);
      }
    }
  }
}
await main();
