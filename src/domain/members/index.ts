export { ATTEMPTS, countAttempt, forgiveAttempt, pruneAttempts, useCode } from './attempts.ts'
export { applyInstallationPassword } from './installation-password.ts'
export {
  acceptInvitation,
  acceptWithNewLogin,
  findInvitation,
  invitationView,
  inviteMember,
  listInvitations,
  madeInvitation,
  type OpenInvitation,
  resendInvitation,
  revokeInvitation,
} from './invitations.ts'
export type { LinkDeps, PasswordDeps } from './links.ts'
export { findLogin, forgetTrustedDevices, insertLogin, normalizeEmail } from './logins.ts'
export { type Language, roleName } from './mail-texts.ts'
export {
  ensureOwner,
  getMember,
  getUser,
  grantMembership,
  listMembers,
  membershipsOf,
  memberView,
  removeMember,
  requireSecondFactor,
  setMemberRole,
} from './members.ts'
export { endResets, findReset, makeResetLink, requestPasswordReset, resetPassword } from './password-resets.ts'
export { ROLES, type Role, roleReaches, SCOPES, type Scope, scopeReaches } from './roles.ts'
