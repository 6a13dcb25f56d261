import { readFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import { Unreadable } from '../unreadable.ts'
import { fileAnswer, pageAnswer, type ReadRequest } from './reading-protocol.ts'

/** Of the process that reads: work of the processor, which a busy machine gives slowly, and the time that passes at most. */
export type ReadLimits = { cpuMs: number; timeoutMs: number; memoryBytes: number }

export const FILE_LIMITS: ReadLimits = { cpuMs: 60_000, timeoutMs: 240_000, memoryBytes: 700e6 }
const PAGE_LIMITS: ReadLimits = { cpuMs: 15_000, timeoutMs: 120_000, memoryBytes: 500e6 }
const LOOK_EVERY_MS = 50
const MAX_ANSWER = 16e6

type Answer<T> = Extract<T, { ok: true }>
export type FileAnswer = Answer<z.output<typeof fileAnswer>>
export type PageAnswer = Answer<z.output<typeof pageAnswer>>

/** Reads a file in a process of its own. @throws Unreadable `too_slow`, `too_large` at a limit, and what the file says */
export async function readFileInChild(
  bytes: Uint8Array,
  fileName: string,
  limits: ReadLimits = FILE_LIMITS,
): Promise<FileAnswer> {
  return succeeded(fileAnswer.parse(await ask({ kind: 'file', fileName }, bytes, limits)))
}

/** Reads a page in a process of its own. @throws Unreadable */
export async function readPageInChild(bytes: Uint8Array, url: string, contentType: string | null): Promise<PageAnswer> {
  return succeeded(pageAnswer.parse(await ask({ kind: 'page', url, contentType }, bytes, PAGE_LIMITS)))
}

function succeeded<T extends { ok: true }>(answer: T | { ok: false; reason: Unreadable['reason']; detail: string }): T {
  if (answer.ok) return answer
  throw new Unreadable(answer.reason, answer.detail)
}

/** One at a time in a process: each may take the memory it is allowed. */
let turn: Promise<unknown> = Promise.resolve()

function ask(request: ReadRequest, bytes: Uint8Array, limits: ReadLimits): Promise<unknown> {
  const mine = turn.then(() => run(request, bytes, limits))
  // A failure is its own caller's alone.
  turn = mine.catch(() => undefined)
  return mine
}

async function run(request: ReadRequest, bytes: Uint8Array, limits: ReadLimits): Promise<unknown> {
  const child = Bun.spawn([process.execPath, '--no-env-file', join(import.meta.dir, 'reading-worker.ts')], {
    stdin: new Blob([`${JSON.stringify(request)}\n`, Uint8Array.from(bytes)]),
    stdout: 'pipe',
    stderr: 'ignore',
    // Nothing that is secret; Bun would read the settings of the installation from the folder that it was started in.
    env: { TZ: 'UTC', NODE_ENV: 'production' },
  })
  let over: Unreadable['reason'] | null = null
  const end = (reason: Unreadable['reason']) => {
    over ??= reason
    child.kill('SIGKILL')
  }
  const deadline = setTimeout(() => end('too_slow'), limits.timeoutMs)
  const watch = setInterval(() => {
    if (memoryOf(child.pid) > limits.memoryBytes) end('too_large')
    else if (workOf(child.pid) > limits.cpuMs) end('too_slow')
  }, LOOK_EVERY_MS)
  try {
    lower(child.pid)
    const text = await readAll(child.stdout, () => end('too_large'))
    await child.exited
    if (over) throw new Unreadable(over, `The process that read it was ended: ${over}.`)
    if (child.exitCode !== 0)
      throw new Unreadable('broken', `The process that read it ended with ${child.exitCode ?? child.signalCode}.`)
    return JSON.parse(text)
  } finally {
    clearTimeout(deadline)
    clearInterval(watch)
    child.kill('SIGKILL')
  }
}

async function readAll(stream: ReadableStream<Uint8Array>, tooMuch: () => void): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.byteLength
    if (size > MAX_ANSWER) {
      tooMuch()
      break
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Calls are served by the same machine. */
function lower(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // It ended already.
  }
}

/** How long the processor worked for it, in ms; 0 when it has ended, and where there is no /proc. */
function workOf(pid: number): number {
  try {
    // proc(5): fields 14 and 15, in hundredths of a second; the name before them may hold spaces and brackets.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return 0
  }
}

/** Resident memory in bytes; 0 when it has ended. Where there is no /proc, `ps` knows. */
function memoryOf(pid: number): number {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1])
    return pages * 4_096
  } catch {
    if (process.platform === 'linux') return 0
    const { stdout } = Bun.spawnSync(['ps', '-o', 'rss=', '-p', String(pid)])
    return Number(stdout.toString().trim() || 0) * 1_024
  }
}
