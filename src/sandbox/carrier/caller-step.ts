/**
 * When a step begins, after the step before it ended:
 * `now`; `{ afterMs }` later; `agent_done` = the agent has spoken since the caller's last speech or key, and the line has been
 * quiet for `quietMs`; `barge_in` = the agent has been speaking for `bargeInMs` and still is.
 */
export type When = 'now' | 'agent_done' | 'barge_in' | { afterMs: number }

type Timing = { when?: When; quietMs?: number; bargeInMs?: number }

export type CallerStep = Timing &
  (
    | /** Says something; `agent_done` by default. */ { say: Uint8Array; label?: string }
    | /** Presses keys, one every 200 ms; `agent_done` by default. */ { dtmf: string }
    | /** Hangs up; `now` by default. */ { hangup: true }
    | /** Lets time pass; `now` by default. */ { wait: number }
    | /** Stays silent that long after the agent is done. */ { silence: number }
    | /** The caller's network is gone that long: no frame is sent. */ { networkGap: number }
  )
