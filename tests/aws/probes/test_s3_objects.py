"""Objects, versions, uploads, listings."""

import hashlib
import unittest
import urllib.error
import urllib.request

from support import Probe, allow


class Objects(Probe):
    def setUp(self):
        super().setUp()
        self.s3, self.b = self.root("s3"), self.bucket()

    def put(self, key, body=b"x", **options):
        return self.s3.put_object(Bucket=self.b, Key=key, Body=body, **options)

    def test_round_trip(self):
        key = "a b/ü+&?#%/~"
        put = self.put(
            key, b"hello", ContentType="text/plain", Metadata={"my_key": "v", "other-key": "w"}, Tagging="a=b"
        )
        self.assertEqual(f'"{hashlib.md5(b"hello").hexdigest()}"', put["ETag"])
        got = self.s3.get_object(Bucket=self.b, Key=key)
        self.assertEqual(
            (b"hello", "text/plain", {"my_key": "v", "other-key": "w"}, 1),
            (got["Body"].read(), got["ContentType"], got["Metadata"], got["TagCount"]),
        )
        self.assertEqual(5, self.s3.head_object(Bucket=self.b, Key=key)["ContentLength"])
        self.assertEqual(b"ell", self.s3.get_object(Bucket=self.b, Key=key, Range="bytes=1-3")["Body"].read())
        self.refused("InvalidRange", self.s3.get_object, Bucket=self.b, Key=key, Range="bytes=9-")
        self.refused(
            "PreconditionFailed", self.s3.put_object, Bucket=self.b, Key=key, Body=b"", IfNoneMatch="*", status=412
        )
        self.s3.copy_object(Bucket=self.b, Key="copy", CopySource={"Bucket": self.b, "Key": key})
        self.assertEqual(b"hello", self.s3.get_object(Bucket=self.b, Key="copy")["Body"].read())
        self.refused("NoSuchKey", self.s3.get_object, Bucket=self.b, Key="none", status=404)
        self.refused("404", self.s3.head_object, Bucket=self.b, Key="none")
        self.s3.delete_object(Bucket=self.b, Key="none")
        self.s3.delete_object(Bucket=self.b, Key=key)
        self.refused("NoSuchKey", self.s3.get_object, Bucket=self.b, Key=key)

    def test_checksums(self):
        self.put("k", b"x", ChecksumAlgorithm="SHA256")
        self.assertIn("ChecksumSHA256", self.s3.head_object(Bucket=self.b, Key="k", ChecksumMode="ENABLED"))
        self.refused("BadDigest", self.put, "k", b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
        self.refused("BadDigest", self.put, "k", b"x", ChecksumSHA256="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")

    def test_presigned(self):
        self.put("k", b"hello")
        keys = self.user(allow("s3:GetObject", f"arn:aws:s3:::{self.b}/k"))
        client = self.client("s3", keys, signature_version="s3v4")

        def fetch(url):
            with urllib.request.urlopen(url) as answer:
                return answer.read()

        url = client.generate_presigned_url("get_object", {"Bucket": self.b, "Key": "k"})
        self.assertEqual(b"hello", fetch(url))
        for bad in (
            url[:-1] + ("0" if url[-1] != "0" else "1"),
            client.generate_presigned_url("get_object", {"Bucket": self.b, "Key": "other"}),
            url.split("?")[0],
        ):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                fetch(bad)
            self.assertEqual(403, caught.exception.code)
            caught.exception.close()

    def test_uploads(self):
        s3, b = self.s3, self.b
        upload = s3.create_multipart_upload(Bucket=b, Key="m")["UploadId"]
        parts = [
            s3.upload_part(Bucket=b, Key="m", UploadId=upload, PartNumber=n, Body=body)["ETag"]
            for n, body in ((1, b"a" * (5 << 20)), (2, b"b"))
        ]
        self.assertEqual([1, 2], [p["PartNumber"] for p in s3.list_parts(Bucket=b, Key="m", UploadId=upload)["Parts"]])
        self.assertEqual([upload], [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=b)["Uploads"]])
        s3.complete_multipart_upload(
            Bucket=b,
            Key="m",
            UploadId=upload,
            MultipartUpload={"Parts": [{"ETag": e, "PartNumber": n} for n, e in enumerate(parts, 1)]},
        )
        self.assertEqual((5 << 20) + 1, s3.head_object(Bucket=b, Key="m")["ContentLength"])
        for key in "xyz":
            s3.create_multipart_upload(Bucket=b, Key=key)
        first = s3.list_multipart_uploads(Bucket=b, MaxUploads=2)
        self.assertTrue(first["IsTruncated"])
        rest = s3.list_multipart_uploads(
            Bucket=b, KeyMarker=first["NextKeyMarker"], UploadIdMarker=first["NextUploadIdMarker"]
        )
        every = first["Uploads"] + rest["Uploads"]
        self.assertEqual(["x", "y", "z"], [u["Key"] for u in every])
        for one in every:
            s3.abort_multipart_upload(Bucket=b, Key=one["Key"], UploadId=one["UploadId"])
        self.refused(
            "NoSuchUpload", s3.abort_multipart_upload, Bucket=b, Key="x", UploadId=every[0]["UploadId"], status=404
        )
        self.assertEqual(0, self.inventory()["buckets"][0]["uploads"])

    def test_listing(self):
        for key in ("a/1", "a/2", "b", "c/1", "ü"):
            self.put(key)
        got = self.s3.list_objects_v2(Bucket=self.b, Delimiter="/")
        self.assertEqual(
            (["b", "ü"], ["a/", "c/"], 4),
            ([c["Key"] for c in got["Contents"]], [p["Prefix"] for p in got["CommonPrefixes"]], got["KeyCount"]),
        )
        self.assertEqual(
            ["a/1", "a/2"], [c["Key"] for c in self.s3.list_objects_v2(Bucket=self.b, Prefix="a/")["Contents"]]
        )
        for delimiter in ("", "/"):
            entries, token = [], None
            for _ in range(9):
                page = self.s3.list_objects_v2(
                    Bucket=self.b, MaxKeys=2, Delimiter=delimiter, **({"ContinuationToken": token} if token else {})
                )
                entries += [c["Key"] for c in page.get("Contents", [])] + [
                    p["Prefix"] for p in page.get("CommonPrefixes", [])
                ]
                token = page.get("NextContinuationToken")
                if not token:
                    break
            self.assertEqual(
                ["a/", "b", "c/", "ü"] if delimiter else ["a/1", "a/2", "b", "c/1", "ü"], sorted(entries), delimiter
            )
        self.assertEqual(
            ["b", "c/1", "ü"], [c["Key"] for c in self.s3.list_objects_v2(Bucket=self.b, StartAfter="a/2")["Contents"]]
        )
        entries, marker = [], ""
        for _ in range(9):
            page = self.s3.list_objects(Bucket=self.b, MaxKeys=2, Delimiter="/", Marker=marker)
            entries += [c["Key"] for c in page.get("Contents", [])] + [
                p["Prefix"] for p in page.get("CommonPrefixes", [])
            ]
            if not page["IsTruncated"]:
                break
            marker = page["NextMarker"]
        self.assertEqual(["a/", "b", "c/", "ü"], sorted(entries))
        self.assertEqual(0, self.s3.list_objects_v2(Bucket=self.b, MaxKeys=0)["KeyCount"])


class Versions(Objects):
    def setUp(self):
        super().setUp()
        self.s3.put_bucket_versioning(Bucket=self.b, VersioningConfiguration={"Status": "Enabled"})

    test_round_trip = test_checksums = test_presigned = test_uploads = test_listing = None

    def listed(self, **options):
        got = self.s3.list_object_versions(Bucket=self.b, **options)
        return [(v["Key"], v["VersionId"], v["IsLatest"]) for v in got.get("Versions", [])], [
            (v["Key"], v["VersionId"], v["IsLatest"]) for v in got.get("DeleteMarkers", [])
        ]

    def test_versions_and_markers(self):
        first, second = (self.put("k", body)["VersionId"] for body in (b"1", b"2"))
        gone = self.s3.delete_object(Bucket=self.b, Key="k")
        self.assertTrue(gone["DeleteMarker"])
        self.assertEqual(([("k", second, False), ("k", first, False)], [("k", gone["VersionId"], True)]), self.listed())
        self.refused("NoSuchKey", self.s3.get_object, Bucket=self.b, Key="k")
        self.assertEqual(b"1", self.s3.get_object(Bucket=self.b, Key="k", VersionId=first)["Body"].read())
        self.refused(
            "NoSuchVersion", self.s3.get_object, Bucket=self.b, Key="k", VersionId="3HL4kqtJvjVBH40Nrjfkd", status=404
        )
        self.s3.delete_object(Bucket=self.b, Key="k", VersionId=gone["VersionId"])
        self.assertEqual(b"2", self.s3.get_object(Bucket=self.b, Key="k")["Body"].read())
        self.s3.delete_object(Bucket=self.b, Key="k", VersionId=second)
        self.s3.delete_object(Bucket=self.b, Key="k", VersionId=second)
        self.assertEqual(b"1", self.s3.get_object(Bucket=self.b, Key="k")["Body"].read())

    def test_pages(self):
        made = [(key, self.put(key)["VersionId"]) for key in ("a", "a", "a", "b", "c")]
        seen, markers = [], {}
        for _ in range(9):
            page = self.s3.list_object_versions(Bucket=self.b, MaxKeys=2, **markers)
            seen += [(v["Key"], v["VersionId"]) for v in page.get("Versions", [])]
            if not page["IsTruncated"]:
                break
            markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
        self.assertEqual([made[2], made[1], made[0], made[3], made[4]], seen)

    def test_suspended(self):
        kept = self.put("k", b"old")["VersionId"]
        self.s3.put_bucket_versioning(Bucket=self.b, VersioningConfiguration={"Status": "Suspended"})
        for body in (b"one", b"two"):
            self.put("k", body, Tagging="n=" + body.decode())
        self.assertEqual([("k", "null", True), ("k", kept, False)], self.listed()[0])
        self.assertEqual(b"two", self.s3.get_object(Bucket=self.b, Key="k")["Body"].read())
        self.assertEqual([{"Key": "n", "Value": "two"}], self.s3.get_object_tagging(Bucket=self.b, Key="k")["TagSet"])
        self.assertEqual(b"old", self.s3.get_object(Bucket=self.b, Key="k", VersionId=kept)["Body"].read())
        self.s3.delete_object(Bucket=self.b, Key="k")
        self.assertEqual(([("k", kept, False)], [("k", "null", True)]), self.listed())

    def test_many_at_once(self):
        versions = [(key, self.put(key)["VersionId"]) for key in ("a", "a", "b")]
        got = self.s3.delete_objects(
            Bucket=self.b, Delete={"Objects": [{"Key": k, "VersionId": v} for k, v in versions] + [{"Key": "none"}]}
        )
        self.assertEqual(4, len(got["Deleted"]))
        self.assertTrue(got["Deleted"][3]["DeleteMarker"])
        self.assertEqual(1, self.inventory()["buckets"][0]["versions"])
        self.refused("MalformedXML", self.s3.delete_objects, Bucket=self.b, Delete={"Objects": []})
        got = self.s3.delete_objects(Bucket=self.b, Delete={"Quiet": True, "Objects": [{"Key": "x"}]})
        self.assertNotIn("Deleted", got)


if __name__ == "__main__":
    unittest.main()
