export { backupView, lastBackup, noteBackup } from './backups.ts'
export { type Finding, findingView } from './findings.ts'
export { beat, leave, type ProcessKind, processesAlive, processId } from './heartbeats.ts'
export { usersExist } from './users.ts'
