export type Finding = { check: string; state: 'ok' | 'warning' | 'problem'; found: string; advice: string | null }

export type Say = (check: string, state: Finding['state'], found: string, advice?: string | null) => void
