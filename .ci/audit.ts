/**
 * Looks up every package of the lockfile among the known vulnerabilities. A registry that does not answer is reported and fails
 * nothing: a build without a network is no worse than before. What is answered counts: a high or critical vulnerability fails,
 * unless it was reviewed; so does an answer that cannot be read, since it may hold one.
 */
import { z } from 'zod'

const FAILS = new Set(['high', 'critical'])
const LIMIT_MS = 45_000

const advisories = z.record(
  z.string(),
  z.array(z.looseObject({ url: z.string(), title: z.string(), severity: z.string(), vulnerable_versions: z.string() })),
)
/** Advisories that do not concern us, each with the reason and a day on which it is looked at again. */
const reviewed = z.array(z.strictObject({ url: z.url(), reason: z.string().min(20), until: z.iso.date() }))

async function main(): Promise<number> {
  const ignored = reviewed.parse(await Bun.file(new URL('reviewed-advisories.json', import.meta.url)).json())
  const child = Bun.spawn([process.execPath, 'audit', '--json'], { stdout: 'pipe', stderr: 'pipe', timeout: LIMIT_MS })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  await child.exited
  const answer = parseJson(out)
  // Bun reports a registry that does not answer, or answers something else, as an error; vulnerabilities are its output alone.
  if (err.includes('error:') || answer === null) {
    console.log(`COULD NOT CHECK for known vulnerabilities: ${err.trim().split('\n')[0] || 'no answer in time'}`)
    console.log('The locked versions were compared with no list. Run `bun .ci/audit.ts` where the registry answers.')
    return 0
  }
  const found = advisories.safeParse(answer)
  if (!found.success) {
    console.log(`The registry names vulnerabilities in a form that cannot be read: ${out.trim().slice(0, 500)}`)
    return 1
  }
  const today = new Date().toISOString().slice(0, 10)
  const open = Object.entries(found.data).flatMap(([name, list]) =>
    list
      .filter(({ url }) => !ignored.some((one) => one.url === url && one.until >= today))
      .map((advisory) => ({ name, ...advisory })),
  )
  for (const { name, severity, title, url, vulnerable_versions } of open)
    console.log(`${severity.padEnd(8)} ${name} ${vulnerable_versions}: ${title}\n         ${url}`)
  const grave = open.filter(({ severity }) => FAILS.has(severity)).length
  console.log(`${open.length} known vulnerabilities, ${grave} of them high or critical; ${ignored.length} reviewed`)
  return grave > 0 ? 1 : 0
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

process.exit(await main())
