import { join } from 'node:path'
import { createEspeakSynthesizer } from '../providers/speech/espeak/synthesizer.ts'
import type { Language } from '../providers/speech/port.ts'
import { createPromptCache } from '../providers/speech/prompts.ts'
import type { CallReportJson } from './carrier/call-report.ts'
import { reportToJson } from './carrier/call-report.ts'
import { placeCall } from './carrier/caller.ts'
import type { CallerStep } from './carrier/caller-step.ts'
import { startCarrier } from './carrier/server.ts'

const ANSWERS: Record<Language, string[]> = {
  he: ['שְׁמִי דָּוִד לֵוִי', 'אֲנִי רוֹצֶה לִקְבּוֹעַ תּוֹר לְיוֹם שְׁלִישִׁי', 'מָחָר בַּבּוֹקֶר, בְּבַקָּשָׁה'],
  en: ['My name is David Levy', 'I would like to book an appointment for Tuesday', 'Tomorrow morning would be good'],
}

export type SimulatedCall = {
  /** The installation's public base URL, as its TwiML has it. */
  publicBaseUrl: string
  /** The address dialled in its place; the public URL when absent. */
  connectBaseUrl?: string
  accountSid: string
  authToken: string
  /** A running carrier that the installation fetches recordings from; a new one when absent. */
  carrierUrl?: string
  from: string
  to: string
  language: Language
  say?: Uint8Array[]
  maxSeconds?: number
  cacheDir: string
}

export type SimulatedCallResult = {
  report: CallReportJson
  streamStatuses: number[]
}

/** Places a call with a synthesized caller who answers the agent's questions. */
export async function simulateCall(options: SimulatedCall): Promise<SimulatedCallResult> {
  const said = options.say ?? (await speakLines(ANSWERS[options.language], options.language, options.cacheDir))
  const webhookUrl = `${options.publicBaseUrl}/webhook/incoming_call`
  const statusCallbackUrl = `${options.publicBaseUrl}/webhook/call_status`
  const connect = options.connectBaseUrl ? { connectBaseUrl: options.connectBaseUrl } : {}
  const common = { webhookUrl, statusCallbackUrl, from: options.from, to: options.to, ...connect }
  const maxSeconds = options.maxSeconds ?? 90
  if (options.carrierUrl) {
    const response = await fetch(`${options.carrierUrl}/_control/calls`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        ...common,
        maxSeconds,
        script: said.map((audio) => ({ say: Buffer.from(audio).toString('base64') })),
        wait: true,
      }),
      signal: AbortSignal.timeout((maxSeconds + 30) * 1_000),
    })
    if (!response.ok) throw new Error(`The sandbox's carrier answered ${response.status}: ${await response.text()}`)
    const report = (await response.json()) as CallReportJson
    const kept = await fetch(`${options.carrierUrl}/_control/callbacks?kind=stream_status`)
    const { callbacks } = (await kept.json()) as { callbacks: Callback[] }
    return { report, streamStatuses: statusesOf(callbacks, report.callSid) }
  }
  const carrier = startCarrier({ port: 0, accountSid: options.accountSid, authToken: options.authToken })
  try {
    const script: CallerStep[] = said.map((audio) => ({ say: audio }))
    const report = reportToJson(await placeCall({ ...common, carrier, script, maxSeconds }))
    const callbacks = carrier.callbacks.filter((callback) => callback.kind === 'stream_status')
    return { report, streamStatuses: statusesOf(callbacks, report.callSid) }
  } finally {
    await carrier.close()
  }
}

type Callback = { params: Readonly<Record<string, string>>; status: number | null }

function statusesOf(callbacks: readonly Callback[], callSid: string): number[] {
  return callbacks.filter((callback) => callback.params.CallSid === callSid).map((callback) => callback.status ?? 0)
}

/** Speaks a caller's lines; μ-law 8,000 Hz. What was spoken before is read from `cacheDir`. */
export async function speakLines(
  lines: readonly string[],
  language: Language,
  cacheDir: string,
): Promise<Uint8Array[]> {
  const synthesizer = createEspeakSynthesizer()
  try {
    const prompts = createPromptCache({ dir: join(cacheDir, 'caller'), synthesizer })
    const spoken: Uint8Array[] = []
    for (const text of lines) spoken.push(await prompts.render(text, language))
    return spoken
  } finally {
    await synthesizer.close()
  }
}
