import { terminalLine } from '../lib/escape/terminal.ts'
import { type ReplayReport, replayTrace } from '../media/replay.ts'

/**
 * Lives a recorded call through again.
 * @param target a file with a call's record, else a call, by our id or the carrier's SID
 * @param fromStorage replays what the installation keeps of a call
 */
export async function replayTarget(
  target: string,
  fromStorage: (call: string) => Promise<ReplayReport>,
): Promise<ReplayReport> {
  const file = Bun.file(target)
  return (await file.exists()) ? await replayTrace(await file.text()) : await fromStorage(target)
}

/** What was said, and whether every decision was the same. */
export function describeReplay(replay: ReplayReport): string {
  const { firstDifference: other } = replay
  const verdict = other
    ? `decision ${other.index + 1} differs: recorded ${JSON.stringify(other.recorded)}, replayed ${JSON.stringify(other.replayed)}`
    : `${replay.decisions.length} decisions, all the same`
  return [...replay.transcript.map(terminalLine), '', verdict].join('\n')
}
