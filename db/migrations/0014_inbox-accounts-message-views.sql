CREATE TABLE "auth_account_attempts" (
	"key" text PRIMARY KEY NOT NULL,
	"count" integer NOT NULL,
	"since" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "early_deletions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"provider" text NOT NULL,
	"account_id" uuid,
	"direction" text NOT NULL,
	"provider_message_id" text NOT NULL,
	"writers" text[] NOT NULL,
	"deleted_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "import_rejects" (
	"business_id" uuid NOT NULL,
	"import_id" uuid NOT NULL,
	"row" integer NOT NULL,
	"cells" jsonb NOT NULL,
	"reason" text NOT NULL,
	"phone" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "import_rejects_import_id_row_pk" PRIMARY KEY("import_id","row")
);
--> statement-breakpoint
CREATE TABLE "inbound_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"job" text NOT NULL,
	"business_id" uuid,
	"payload" text NOT NULL,
	"requeues" integer DEFAULT 0 NOT NULL,
	"next_check_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "installation_state" (
	"key" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "member_invitations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"email" text NOT NULL,
	"role" text NOT NULL,
	"token_hash" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"accepted_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "member_invitations_role" CHECK ("member_invitations"."role" in ('owner', 'manager', 'agent', 'viewer'))
);
--> statement-breakpoint
CREATE TABLE "mails" (
	"id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"sealed" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"error" text,
	"sent_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "mails_state" CHECK ("mails"."state" in ('pending', 'sent', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "auth_password_resets" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"token_hash" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "quarantine" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid,
	"job" text NOT NULL,
	"key" text NOT NULL,
	"content" "bytea" NOT NULL,
	"reason" text NOT NULL,
	"attempts" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "auth_used_codes" (
	"user_id" text NOT NULL,
	"code_hash" text NOT NULL,
	"used_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "auth_used_codes_user_id_code_hash_pk" PRIMARY KEY("user_id","code_hash")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "operator" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "confirmed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "businesses" ADD COLUMN "long_text" text DEFAULT 'split' NOT NULL;--> statement-breakpoint
ALTER TABLE "businesses" ADD COLUMN "owners_need_second_factor" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "calls" ADD COLUMN "stir_verstat" text;--> statement-breakpoint
ALTER TABLE "contact_identities" ADD COLUMN "phone" text;--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "options" jsonb;--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "columns" jsonb;--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "blank" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "attempts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "failure" text;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "kind" text DEFAULT 'document' NOT NULL;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "transcript" text;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "processed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "to_phone" text;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "edited_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "deleted_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "part_of" uuid;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "part" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "secret" text;--> statement-breakpoint
ALTER TABLE "early_deletions" ADD CONSTRAINT "early_deletions_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "early_deletions" ADD CONSTRAINT "early_deletions_account_id_whatsapp_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."whatsapp_accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_rejects" ADD CONSTRAINT "import_rejects_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_rejects" ADD CONSTRAINT "import_rejects_import_id_imports_id_fk" FOREIGN KEY ("import_id") REFERENCES "public"."imports"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "member_invitations" ADD CONSTRAINT "member_invitations_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "auth_password_resets" ADD CONSTRAINT "auth_password_resets_user_id_auth_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."auth_users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "quarantine" ADD CONSTRAINT "quarantine_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "auth_used_codes" ADD CONSTRAINT "auth_used_codes_user_id_auth_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."auth_users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "auth_account_attempts_age" ON "auth_account_attempts" USING btree ("since");--> statement-breakpoint
CREATE INDEX "early_deletions_message" ON "early_deletions" USING btree ("business_id","provider_message_id");--> statement-breakpoint
CREATE INDEX "early_deletions_age" ON "early_deletions" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "import_rejects_phone" ON "import_rejects" USING btree ("business_id","phone");--> statement-breakpoint
CREATE INDEX "import_rejects_age" ON "import_rejects" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "inbound_events_key" ON "inbound_events" USING btree ("key");--> statement-breakpoint
CREATE INDEX "inbound_events_check" ON "inbound_events" USING btree ("next_check_at");--> statement-breakpoint
CREATE UNIQUE INDEX "member_invitations_token" ON "member_invitations" USING btree ("token_hash");--> statement-breakpoint
CREATE UNIQUE INDEX "member_invitations_pending" ON "member_invitations" USING btree ("business_id","email") WHERE "member_invitations"."accepted_at" is null and "member_invitations"."revoked_at" is null;--> statement-breakpoint
CREATE INDEX "member_invitations_list" ON "member_invitations" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX "mails_subject" ON "mails" USING btree ("subject_id","id");--> statement-breakpoint
CREATE INDEX "mails_pending" ON "mails" USING btree ("updated_at") WHERE "mails"."state" = 'pending';--> statement-breakpoint
CREATE UNIQUE INDEX "auth_password_resets_token" ON "auth_password_resets" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "auth_password_resets_user" ON "auth_password_resets" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "quarantine_key" ON "quarantine" USING btree ("key");--> statement-breakpoint
CREATE INDEX "quarantine_list" ON "quarantine" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX "auth_used_codes_age" ON "auth_used_codes" USING btree ("used_at");--> statement-breakpoint
CREATE INDEX "call_turns_untranscribed" ON "call_turns" USING btree ("created_at") WHERE "call_turns"."transcript" = 'untranscribed';--> statement-breakpoint
CREATE INDEX "calls_ended" ON "calls" USING btree ("ended_at") WHERE "calls"."stream_sid" is not null;--> statement-breakpoint
CREATE INDEX "message_media_pending" ON "message_media" USING btree ("created_at") WHERE "message_media"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "message_media_unprocessed" ON "message_media" USING btree ("updated_at") WHERE "message_media"."state" = 'stored' and "message_media"."processed_at" is null;--> statement-breakpoint
CREATE INDEX "messages_about" ON "messages" USING btree ("business_id","reply_to") WHERE "messages"."kind" in ('reaction', 'poll_vote', 'edit');--> statement-breakpoint
CREATE INDEX "messages_parts" ON "messages" USING btree ("part_of") WHERE "messages"."part_of" is not null;--> statement-breakpoint
CREATE INDEX "recordings_at_carrier" ON "recordings" USING btree ("recorded_at") WHERE "recordings"."deleted_remotely_at" is null;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_operator" CHECK (not "api_keys"."operator" or "api_keys"."scope" = 'admin');--> statement-breakpoint
-- Before, every admin key of the first business ran the installation. Only the keys that the installation made for itself
-- still do; others are made anew with `key create --scope admin --operator`.
UPDATE "api_keys" SET "operator" = true
WHERE "scope" = 'admin' AND "name" IN ('bootstrap', 'sandbox')
	AND "business_id" = (SELECT "id" FROM "businesses" ORDER BY "id" LIMIT 1);
--> statement-breakpoint
UPDATE "messages" SET "edited_at" = ("data"->>'editedAt')::timestamptz WHERE "data" ? 'editedAt';--> statement-breakpoint
UPDATE "messages" SET "deleted_at" = ("data"->>'deletedAt')::timestamptz WHERE "data" ? 'deletedAt';--> statement-breakpoint
UPDATE "message_media" SET "kind" = CASE
	WHEN "content_type" LIKE 'image/%' THEN 'image' WHEN "content_type" LIKE 'video/%' THEN 'video'
	WHEN "content_type" LIKE 'audio/%' THEN 'audio' ELSE 'document' END;--> statement-breakpoint
UPDATE "message_media" SET "processed_at" = now() WHERE "state" = 'stored';
