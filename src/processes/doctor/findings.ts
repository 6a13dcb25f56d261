import type { Deps } from '../../composition/deps.ts'
import { processEnvironment } from '../../config.ts'
import type { Finding } from '../../domain/system/index.ts'
import { examine } from './examine.ts'

/** Examines the installation with what this process has open. */
export async function findingsOf(deps: Deps): Promise<Finding[]> {
  const findings: Finding[] = []
  await examine(
    deps.config,
    (run) => run(deps),
    (finding) => void findings.push(finding),
    { environment: processEnvironment() },
  )
  return findings
}
