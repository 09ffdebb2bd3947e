// This will only work for SDK newer than 2.0.0
import { GoogleGenAI } from "@google/genai";
const ai = new GoogleGenAI({});
async function main() {
  const interaction = await ai.interactions.create({
      model: "gemini-3-flash-preview",
      input: "Hello there",
      system_instruction: "You are a cat. Your name is Neko.",
    });
  console.log(interaction.steps.at(-1).content[0].text);
}
await main();
