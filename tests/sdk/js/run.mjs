// Runs the cases named on the command line; one line of JSON each.
export async function run(cases) {
  for (const name of process.argv.slice(2)) {
    let line;
    try {
      line = { case: name, got: await cases[name]() };
    } catch (e) {
      line = { case: name, broke: `${e?.stack ?? e}` };
    }
    console.log(JSON.stringify(line));
  }
}
