CREATE TABLE "whatsapp_commands" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"data" jsonb,
	"done_at" timestamp with time zone,
	"error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "whatsapp_keys" (
	"account_id" uuid NOT NULL,
	"type" text NOT NULL,
	"id" text NOT NULL,
	"value" text NOT NULL,
	CONSTRAINT "whatsapp_keys_account_id_type_id_pk" PRIMARY KEY("account_id","type","id")
);
--> statement-breakpoint
CREATE TABLE "whatsapp_links" (
	"account_id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"wanted" boolean DEFAULT true NOT NULL,
	"owner" text,
	"epoch" integer DEFAULT 0 NOT NULL,
	"lease_expires_at" timestamp with time zone DEFAULT now() NOT NULL,
	"creds" text,
	"advice" text,
	"qr" text,
	"qr_expires_at" timestamp with time zone,
	"pairing_code" text,
	"pairing_expires_at" timestamp with time zone,
	"lid" text,
	"retry_at" timestamp with time zone,
	"restriction_code" text,
	"restricted_at" timestamp with time zone,
	"delivery" text DEFAULT 'at-least-once' NOT NULL,
	"gap_ms" integer DEFAULT 1500 NOT NULL,
	"jitter_ms" integer DEFAULT 2500 NOT NULL,
	"typing_ms_per_char" integer DEFAULT 40 NOT NULL,
	"new_contacts_per_day" integer DEFAULT 30,
	"allow_groups" boolean DEFAULT false NOT NULL,
	"history_limit" integer DEFAULT 1000 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "whatsapp_links_pace" CHECK ("whatsapp_links"."gap_ms" >= 0 and "whatsapp_links"."jitter_ms" >= 0 and "whatsapp_links"."typing_ms_per_char" >= 0)
);
--> statement-breakpoint
ALTER TABLE "businesses" ADD COLUMN "fallback_whatsapp_provider" text;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "next_attempt_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "opens_chat" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "whatsapp_commands" ADD CONSTRAINT "whatsapp_commands_account_id_whatsapp_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."whatsapp_accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "whatsapp_keys" ADD CONSTRAINT "whatsapp_keys_account_id_whatsapp_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."whatsapp_accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "whatsapp_links" ADD CONSTRAINT "whatsapp_links_account_id_whatsapp_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."whatsapp_accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "whatsapp_links" ADD CONSTRAINT "whatsapp_links_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "whatsapp_commands_open" ON "whatsapp_commands" USING btree ("account_id","id") WHERE "whatsapp_commands"."done_at" is null;--> statement-breakpoint
CREATE INDEX "whatsapp_links_owner" ON "whatsapp_links" USING btree ("owner");--> statement-breakpoint
CREATE INDEX "whatsapp_links_business" ON "whatsapp_links" USING btree ("business_id");--> statement-breakpoint
CREATE INDEX "messages_outbox" ON "messages" USING btree ("account_id","id") WHERE "messages"."status" in ('queued', 'sending');--> statement-breakpoint
CREATE INDEX "messages_opening" ON "messages" USING btree ("account_id","last_attempt_at") WHERE "messages"."opens_chat";