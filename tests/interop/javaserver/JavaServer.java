import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.ServerVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.h2.mvstore.MVStore;

/**
 * mongo-java-server with a certificate in PEM, on two ports of 127.0.0.1: one with TLS, one without, the same data.
 *
 * <p>Arguments: the PEM file (elliptic curve key in PKCS#8, and chain), the two ports, and the file of its data; without
 * that the data is in memory. -DserverVersion=MONGO_4_0 makes it one of the versions that the library has of itself. It
 * ends with the program that started it.
 */
public final class JavaServer {

    /** The newest that it has of itself is MongoDB 5.0 with wire version 8, which today's drivers refuse. */
    private static final MongoVersion VERSION = new MongoVersion() {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(7, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 21;
        }
    };

    /** Writes to the file before it replies: what was acknowledged survives a SIGKILL. */
    private static final class DurableBackend extends H2Backend {
        DurableBackend(String file) {
            // MVStore would write once a second, from a thread of its own.
            super(new MVStore.Builder().fileName(file).autoCommitDisabled().open());
        }

        @Override
        public Document handleMessage(MongoMessage message) {
            try {
                return super.handleMessage(message);
            } finally {
                if (getMvStore().hasUnsavedChanges()) {
                    commit();
                }
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        String pem = Files.readString(Path.of(arguments[0]));
        MongoBackend backend = arguments.length > 3 ? new DurableBackend(arguments[3]) : new MemoryBackend();
        String name = System.getProperty("serverVersion");
        backend.version(name == null ? VERSION : ServerVersion.valueOf(name));

        MongoServer encrypted = new MongoServer(backend);
        encrypted.enableSsl(privateKey(pem), null, chain(pem));
        encrypted.bind("127.0.0.1", Integer.parseInt(arguments[1]));
        MongoServer plain = new MongoServer(backend);
        plain.bind("127.0.0.1", Integer.parseInt(arguments[2]));

        ProcessHandle.current().parent().ifPresent(parent -> parent.onExit().join());
        Runtime.getRuntime().halt(0);
    }

    private static PrivateKey privateKey(String pem) throws Exception {
        Matcher block = Pattern.compile("-----BEGIN PRIVATE KEY-----(.+?)-----END", Pattern.DOTALL).matcher(pem);
        if (!block.find()) {
            throw new IllegalArgumentException("no unencrypted PKCS#8 key in the PEM file");
        }
        byte[] der = Base64.getMimeDecoder().decode(block.group(1));
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    private static X509Certificate[] chain(String pem) throws Exception {
        byte[] certificates = pem.substring(pem.indexOf("-----BEGIN CERTIFICATE-----")).getBytes();
        return CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(certificates))
                .toArray(X509Certificate[]::new);
    }
}
