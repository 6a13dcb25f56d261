import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common'

declare const self: Worker

export type PasswordQuestion = { password: string; about: string[] }
export type PasswordAnswer = { score: number }

/** Estimates how hard a password is to guess, from 0 (immediately) to 4. */
self.onmessage = ({ data }: MessageEvent<PasswordQuestion>) => {
  const estimator = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs })
  const { score } = estimator.check(data.password, data.about)
  self.postMessage({ score } satisfies PasswordAnswer)
}
