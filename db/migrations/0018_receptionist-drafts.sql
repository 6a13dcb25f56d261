CREATE TABLE "business_text_versions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"title" text NOT NULL,
	"body" text NOT NULL,
	"from_version" integer NOT NULL,
	"until_version" integer
);
--> statement-breakpoint
CREATE TABLE "receptionist_drafts" (
	"business_id" uuid PRIMARY KEY NOT NULL,
	"revision" integer NOT NULL,
	"based_on" integer NOT NULL,
	"base" jsonb,
	"content" jsonb,
	"actor_kind" text NOT NULL,
	"actor_id" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "calls" ADD COLUMN "is_test" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "receptionist_profiles" ADD COLUMN "actor_kind" text;--> statement-breakpoint
ALTER TABLE "receptionist_profiles" ADD COLUMN "actor_id" text;--> statement-breakpoint
ALTER TABLE "receptionist_profiles" ADD COLUMN "restored_from" integer;--> statement-breakpoint
ALTER TABLE "business_text_versions" ADD CONSTRAINT "business_text_versions_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "receptionist_drafts" ADD CONSTRAINT "receptionist_drafts_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "business_text_versions_from" ON "business_text_versions" USING btree ("business_id","title","from_version");--> statement-breakpoint
CREATE INDEX "business_text_versions_until" ON "business_text_versions" USING btree ("business_id","until_version");--> statement-breakpoint
-- Texts were not versioned before: those of today count as having been in every version.
INSERT INTO "business_text_versions" ("id", "business_id", "title", "body", "from_version")
SELECT gen_random_uuid(), "business_id", "title", "body", 0 FROM "business_texts";
