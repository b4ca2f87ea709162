// Sends invoices through Whop's own SDK, and prints as JSON which it said were sent, and
// how many milliseconds all took. Arguments: the SDK's package, the base URL, how many, how
// many at a time, the time-out of an attempt in milliseconds, retries, company, title. The
// key is in WHOP_API_KEY.
const [name, baseURL, n, senders, timeout, maxRetries, company_id, title] = process.argv.slice(1);
const { default: Whop } = await import(name);
const client = new Whop({ apiKey: process.env.WHOP_API_KEY, baseURL, timeout: Number(timeout), maxRetries: Number(maxRetries) });

const sent = new Array(Number(n)).fill(false);
let next = 0;
async function work() {
  for (let i = next++; i < sent.length; i = next++) {
    try {
      await client.notifications.create({ company_id, title, content: `Invoice ${i} is paid` });
      sent[i] = true;
    } catch {
      // It said failed.
    }
  }
}

const start = performance.now();
await Promise.all(Array.from({ length: Number(senders) }, work));
console.log(JSON.stringify({ sent, ms: performance.now() - start }));
