// This will only work for SDK newer than 2.0.0
import { GoogleGenAI } from "@google/genai";
const ai = new GoogleGenAI({});
async function main() {
  const interaction1 = await ai.interactions.create({
      model: "gemini-3-flash-preview",
      input: "I have 2 dogs in my house.",
    });
  console.log("Response 1:", interaction1.steps.at(-1).content[0].text);
  const interaction2 = await ai.interactions.create({
      model: "gemini-3-flash-preview",
      input: "How many paws are in my house?",
      previous_interaction_id: interaction1.id,
    });
  console.log("Response 2:", interaction2.steps.at(-1).content[0].text);
}
await main();
